import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Library } from '../../library/library.ts';
import { success } from '../envelope.ts';
import { methodNotAllowed } from '../method-not-allowed.ts';
import { playbackInput, waveformInput } from './audio-schemas.ts';
import { type Delivery, renditionFor } from './engines.ts';
import { inputOf } from './input.ts';
import { presentCapabilities, presentPlayback } from './present-audio.ts';

export interface AudioOptions {
  readonly library: Library;
  readonly delivery: Delivery;
  /** What renditions are brought to, LUFS. */
  readonly loudnessLufs: number | 'off';
  readonly maxUploadBytes: number;
}

/** What v3 tells of the audio of prompts: which url is for which engine, what it looks like, and what there can be. */
export function audioRoutes(app: FastifyInstance, options: AudioOptions): void {
  const { library, delivery } = options;

  app.get('/media-prompts/:media_prompt_id/playback', playbackOf);
  app.get('/media-prompts/:media_prompt_id/waveform', waveformOf);
  app.get('/capabilities', capabilitiesOf);
  for (const url of [
    '/media-prompts/:media_prompt_id/playback',
    '/media-prompts/:media_prompt_id/waveform',
    '/capabilities',
  ]) {
    methodNotAllowed(app, url, ['GET', 'HEAD']);
  }

  async function capabilitiesOf(request: FastifyRequest) {
    return success(presentCapabilities(await library.conversion(), options), request.id);
  }

  async function playbackOf(request: FastifyRequest) {
    const { media_prompt_id: id, engine, band } = inputOf(request, playbackInput);
    const kind = renditionFor(engine, band);
    const track = await library.getRendition(request.principal, { id }, kind);
    return success(presentPlayback({ engine, band, kind, track }, delivery), request.id);
  }

  async function waveformOf(request: FastifyRequest) {
    const { media_prompt_id: id, buckets } = inputOf(request, waveformInput);
    const drawn = await library.waveform(request.principal, { id }, buckets);
    const { durationMs, peaks } = drawn;
    return success({ buckets: drawn.buckets, duration_ms: durationMs, peaks }, request.id);
  }
}
