import { expect, onTestFinished } from 'vitest';
import { test, WITHOUT_CONVERTER } from '../../support/renditions.ts';
import { startService } from '../../support/service.ts';

const RENDITION_ROWS = [
  ['pcm8k', 'wav', 'audio/wav', 'pcm_s16le', 8000],
  ['pcm16k', 'wav', 'audio/wav', 'pcm_s16le', 16_000],
  ['wav16', 'wav16', 'application/octet-stream', 'pcm_s16le', 16_000],
  ['ulaw8k', 'wav', 'audio/wav', 'pcm_mulaw', 8000],
  ['ulaw', 'ulaw', 'audio/basic', 'pcm_mulaw', 8000],
  ['alaw', 'alaw', 'application/octet-stream', 'pcm_alaw', 8000],
  ['g722', 'g722', 'application/octet-stream', 'adpcm_g722', 16_000],
  ['mp3', 'mp3', 'audio/mpeg', 'mp3', 44_100],
  ['opus', 'ogg', 'audio/ogg', 'opus', 48_000],
] as const;

const FORMAT_ROWS = [
  ['wav', 'audio/wav'],
  ['mp3', 'audio/mpeg'],
  ['mp4', 'audio/mp4'],
  ['ogg', 'audio/ogg'],
  ['webm', 'audio/webm'],
  ['m4a', 'audio/mp4'],
  ['aac', 'audio/aac'],
  ['flac', 'audio/flac'],
] as const;

test('capabilities tell what there would be, though nothing converts', async ({ service }) => {
  const { status, body } = await service.get('/v3/capabilities');
  expect(status).toBe(200);
  expect(body).toMatchObject({ code: 200, message: 'Success' });
  expect(body.data).toEqual({
    converter: 'none',
    version: null,
    reason: expect.stringMatching(/./),
    formats: FORMAT_ROWS.map(([format, type]) => ({
      container: format,
      extension: format,
      content_type: type,
    })),
    renditions: RENDITION_ROWS.map(([rendition, extension, type, codec, rate]) => ({
      rendition,
      extension,
      content_type: type,
      codec,
      sample_rate: rate,
      channels: 1,
    })),
    loudness_lufs: -19,
    limits: { max_upload_bytes: 52_428_800, max_name_length: 255, max_waveform_buckets: 2000 },
  });
});

test.for([
  ['off', null],
  ['-23.5', -23.5],
] as const)('capabilities tell what the operator chose: a loudness of %s', async ([given, told]) => {
  const service = await startService({
    ...WITHOUT_CONVERTER,
    RENDITION_LOUDNESS_LUFS: given,
    MAX_UPLOAD_BYTES: '1048576',
  });
  onTestFinished(() => service.close());
  const { body } = await service.get('/v3/capabilities');
  expect(body.data).toMatchObject({ loudness_lufs: told, limits: { max_upload_bytes: 1_048_576 } });
});
