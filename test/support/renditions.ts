import { createHash, randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RENDITIONS, type RenditionKind } from '../../src/audio/renditions.ts';
import { test as base, startService, type TestService, type WirePrompt } from './service.ts';
import { noise } from './wav.ts';

/** Renditions put in place by hand: what they sound like is no matter of how they are found and served. */

export const KINDS = Object.keys(RENDITIONS) as readonly RenditionKind[];

/** Makes none itself, so that nothing comes beside what a test puts there. */
export const WITHOUT_CONVERTER = { RENDITION_ENGINE: 'off' } as const;

/** `service` is one for the whole file that makes no renditions. */
export const test = base.extend<{ service: TestService }>({
  service: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService(WITHOUT_CONVERTER);
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
});

/** A rendition as it lies in the library, and what is known of it without asking the service. */
export interface Made {
  readonly kind: RenditionKind;
  /** Of its url. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly type: string;
  readonly sha256: string;
  readonly etag: string;
}

export const pathOf = ({ recording_name: name }: WirePrompt, kind: RenditionKind): string =>
  `/uploads/call-flow-recordings/${name}-${kind}.${RENDITIONS[kind].extension}`;

/** Puts a rendition where the service would have put it; `fileSize` is for one that is never played. */
export async function putRendition(
  service: TestService,
  prompt: WirePrompt,
  kind: RenditionKind,
  given: { readonly bytes?: Buffer; readonly fileSize?: number } = {},
): Promise<Made> {
  const { bytes = noise(4000, randomInt(1_000_000)) } = given;
  const { fileSize = bytes.byteLength } = given;
  const { extension, codec, sampleRate, channels, contentType } = RENDITIONS[kind];
  const digits = Array.from({ length: 39 }, () => randomInt(10)).join('');
  const blob = `file-${Date.now()}-${digits}`;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await writeFile(join(service.dataDir, 'uploads/call-flow-recordings', `${blob}.${extension}`), bytes);
  await service.rows(`insert into blobs (name, state, extension) values ($1, 'kept', $2)`, [blob, extension]);
  await service.rows(
    `insert into renditions (recording_id, kind, state, blob_name, codec, sample_rate, channels, file_size, sha256)
     select id, $2, 'ready', $3, $4, $5, $6, $7, $8 from recordings where blob_name = $1`,
    [prompt.recording_name, kind, blob, codec, sampleRate, channels, fileSize, sha256],
  );
  return {
    kind,
    path: pathOf(prompt, kind),
    bytes,
    type: contentType,
    sha256,
    etag: `"${sha256.slice(0, 32)}"`,
  };
}

/** Has a rendition found impossible. */
export async function failRendition(
  service: TestService,
  prompt: WirePrompt,
  kind: RenditionKind,
  reason: string,
): Promise<void> {
  await service.rows(
    `insert into renditions (recording_id, kind, state, reason)
     select id, $2, 'failed', $3 from recordings where blob_name = $1`,
    [prompt.recording_name, kind, reason],
  );
}

/** What was measured; null: the audio could not be decoded. */
export interface Measured {
  readonly loudness: number;
  readonly truePeak: number;
  readonly leadingMs: number;
  readonly trailingMs: number;
  readonly durationMs: number;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** Pairs of signed bytes. */
  readonly peaks: readonly number[];
}

export async function putReport(
  service: TestService,
  prompt: WirePrompt,
  measured: Measured | null,
): Promise<void> {
  await service.rows(
    `insert into audio_reports (recording_id, recipe, loudness_lufs, true_peak_dbtp, leading_silence_ms,
       trailing_silence_ms, decoded_duration_ms, warnings, peaks)
     select id, 1, $2, $3, $4, $5, $6, $7, $8 from recordings where blob_name = $1`,
    [
      prompt.recording_name,
      measured?.loudness,
      measured?.truePeak,
      measured?.leadingMs,
      measured?.trailingMs,
      measured?.durationMs,
      JSON.stringify(measured?.warnings ?? []),
      measured && Buffer.from(Int8Array.from(measured.peaks)),
    ],
  );
}
