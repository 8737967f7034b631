import { RENDITIONS, type RenditionKind } from '../audio/renditions.ts';
import type { PromptRef } from '../catalogue/prompts.ts';
import { inLibraryTerms, promptNotFound } from './faults.ts';
import type { Prompt } from './prompt.ts';
import type { Show, Viewer } from './reading.ts';
import type { createRenditions, PromptWithAudio } from './renditions.ts';
import type { Playable } from './shelf.ts';
import { renditionName, type Track } from './track.ts';
import type { Waveform } from './waveform.ts';

/** What these verbs are made of. */
interface Parts {
  readonly getCurrent: (viewer: Viewer, ref: PromptRef) => Promise<Prompt>;
  readonly show: Show;
  readonly findPlayable: (name: string, extension: string) => Promise<Playable | undefined>;
  readonly renditions: ReturnType<typeof createRenditions>;
}

/** The library's verbs about the audio of a prompt. */
export function audioVerbs({ getCurrent, show, findPlayable, renditions }: Parts) {
  return {
    /** A prompt with what is known of its audio. @throws LibraryError `prompt-not-found` */
    async getWithAudio(viewer: Viewer, ref: PromptRef): Promise<PromptWithAudio> {
      return await show(viewer, ref, renditions.of);
    },

    /**
     * A rendition of a prompt, made first if need be, which may take ten seconds.
     *
     * @throws LibraryError `prompt-not-found`, `rendition-failed`, `rendition-pending`, `no-converter`
     */
    async getRendition(viewer: Viewer, ref: PromptRef, kind: RenditionKind): Promise<Track> {
      const { recording } = await getCurrent(viewer, ref);
      const playable = await findPlayable(renditionName(recording.name, kind), RENDITIONS[kind].extension);
      if (playable === undefined) throw promptNotFound();
      return playable.track;
    },

    /** The extremes of the audio of a prompt. @throws LibraryError as `getRendition` */
    async waveform(viewer: Viewer, ref: PromptRef, buckets: number): Promise<Waveform> {
      const prompt = await getCurrent(viewer, ref);
      return await inLibraryTerms(() => renditions.waveform(prompt, buckets));
    },

    /** What makes the renditions, or why nothing does. */
    conversion: renditions.conversion,

    /** Queues what recordings from before lack, in the background, until stopped. Nothing where there is no converter. */
    fillIn: renditions.fillIn,

    /** What this process is doing about renditions, and has done. */
    rendering: renditions.figures,
  };
}
