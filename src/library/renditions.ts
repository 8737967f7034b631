import type { RenditionKind } from '../audio/renditions.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Database } from '../catalogue/database.ts';
import { findAudio, findPeaks, type ReportRow } from '../catalogue/renditions.ts';
import type { ChosenConverter } from '../conversion/choose-converter.ts';
import type { Converter } from '../conversion/converter.ts';
import { fillInRenditions } from './backfill.ts';
import { LibraryError } from './errors.ts';
import { promptNotFound } from './faults.ts';
import type { Prompt } from './prompt.ts';
import { createRenderer, type Renderer, type RendererDeps, type RendererFigures } from './renderer.ts';
import { createRenditionDesk, noConverter, pending } from './rendition-desk.ts';
import { RENDITION_KINDS, type Track, trackOf } from './track.ts';
import { drawWaveform, type Waveform } from './waveform.ts';

/** What makes renditions, and how. */
export interface RenditionDeps extends Pick<RendererDeps, 'loudnessLufs' | 'atOnce' | 'onFault'> {
  /** Must not reject. Finding a converter takes longer than the rest of a start, so nobody waits for it who need not. */
  readonly choosing: Promise<ChosenConverter>;
}

/** Which converter is at work, and why. */
export interface Conversion {
  readonly converter: Converter['kind'] | 'none';
  /** Undefined where there is none. */
  readonly version: string | undefined;
  readonly reason: string;
}

/** Where a rendition stands. */
export type RenditionStatus =
  | {
      readonly kind: RenditionKind;
      readonly state: 'ready';
      readonly track: Track;
      readonly codec: string;
      readonly sampleRate: number;
      readonly channels: number;
    }
  | { readonly kind: RenditionKind; readonly state: 'pending' }
  | { readonly kind: RenditionKind; readonly state: 'failed' | 'unavailable'; readonly reason: string };

/** What was measured of the audio of a recording. */
export type AudioReport = ReportRow;

export interface PromptWithAudio {
  readonly prompt: Prompt;
  readonly renditions: readonly RenditionStatus[];
  /** Undefined as long as nothing was measured. */
  readonly report: AudioReport | undefined;
}

export interface RenditionsContext {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly uploadLeaseMs: number;
  readonly onLeftBehind: (error: unknown) => void;
}

const NOTHING_DONE: RendererFigures = { running: 0, made: 0, failed: 0, postponed: 0 };

/** Conversions at once that take the memory of this process: each some 100 MB. */
const MOST_IN_OUR_MEMORY = 2;

/** Measured and made together with it: whoever waits for a measurement waits for this. */
const FIRST = 'pcm8k' satisfies RenditionKind;

const NONE: ChosenConverter = {
  converter: undefined,
  reason: 'This library was opened without a converter.',
};

/** The renditions of a library: what is there of them, what makes them, and who waits for one. */
export function createRenditions(context: RenditionsContext, deps: RenditionDeps | undefined) {
  const { db } = context;
  let renderer: Renderer | undefined;
  /** False once there is known to be no converter. */
  let areMade = deps !== undefined;
  let isClosed = false;
  let closing: Promise<void> | undefined;
  const filling: { stop(): Promise<void> }[] = [];

  const chosen = (deps?.choosing ?? Promise.resolve(NONE)).then((choice) => {
    const { converter } = choice;
    areMade = converter !== undefined;
    if (deps !== undefined && converter !== undefined && !isClosed) {
      // As WASM it works in our own memory, of which there is not more where there are more cores.
      const atOnce = converter.kind === 'wasm' ? Math.min(deps.atOnce, MOST_IN_OUR_MEMORY) : deps.atOnce;
      renderer = createRenderer({ ...context, ...deps, atOnce, converter });
    }
    return choice;
  });
  const desk = createRenditionDesk({ db, maker: chosen.then(({ reason }) => ({ renderer, reason })) });

  return {
    /** Whether what is uploaded now is queued. */
    areMade: () => areMade,
    await: desk.await,
    wake: () => renderer?.wake(),
    giveWay: (arriving: number) => renderer?.giveWay(arriving),
    figures: () => renderer?.figures() ?? NOTHING_DONE,

    async conversion(): Promise<Conversion> {
      const { converter, reason } = await chosen;
      return { converter: converter?.kind ?? 'none', version: converter?.version, reason };
    },

    /** Asks `from`, which may be a replica. */
    async of(prompt: Prompt, from: Database): Promise<PromptWithAudio> {
      const { name } = prompt.recording;
      const { converter, reason } = await chosen;
      const { renditions, report } = await findAudio(from, name);
      const known = new Map(renditions.map((row) => [row.kind, row]));
      return {
        prompt,
        report,
        renditions: RENDITION_KINDS.map((kind): RenditionStatus => {
          const row = known.get(kind);
          if (row?.state === 'ready') {
            const { codec, sampleRate, channels } = row;
            return { kind, state: 'ready', track: trackOf(name, kind, row), codec, sampleRate, channels };
          }
          if (row?.state === 'failed') return { kind, state: 'failed', reason: row.reason };
          return converter === undefined
            ? { kind, state: 'unavailable', reason }
            : { kind, state: 'pending' };
        }),
      };
    },

    async waveform({ recording }: Prompt, buckets: number): Promise<Waveform> {
      const { name } = recording;
      const found = (await findPeaks(db, name)) ?? (await measured(name));
      if (found.peaks === null) {
        throw new LibraryError('rendition-failed', 'The audio of this prompt cannot be decoded.');
      }
      return drawWaveform(found.peaks, buckets, found.durationMs ?? 0);
    },

    /** Queues what recordings from before lack, in the background, until this is closed. */
    async fillIn(onFault: (error: unknown) => void): Promise<void> {
      await chosen;
      if (renderer === undefined || isClosed) return;
      filling.push(fillInRenditions(db, { onQueued: () => renderer?.wake(), onFault }));
    },

    close(): Promise<void> {
      closing ??= close();
      return closing;
    },
  };

  async function close(): Promise<void> {
    isClosed = true;
    await Promise.all([...filling.map((walk) => walk.stop()), renderer?.close()]);
    // One that is still looked for is closed when it is found; nobody waits for that.
    void chosen.then(({ converter }) => converter?.close());
  }

  async function measured(name: string) {
    const { converter, reason } = await chosen;
    if (converter === undefined) throw noConverter(reason);
    if (!(await desk.await(name, FIRST))) throw promptNotFound();
    const found = await findPeaks(db, name);
    if (found === undefined) throw pending();
    return found;
  }
}
