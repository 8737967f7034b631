import type { RenditionKind } from '../audio/renditions.ts';
import type { Database } from '../catalogue/database.ts';
import { hurryJob } from '../catalogue/rendition-jobs.ts';
import { findRendition } from '../catalogue/renditions.ts';
import { LibraryError } from './errors.ts';
import type { Renderer } from './renderer.ts';

/** How long somebody waits for a rendition that is not there yet, ms. */
const PATIENCE = 10_000;
/** How often it is looked for meanwhile: another process may be the one that makes it, ms. */
const LOOK = 250;
/** Renditions waited for at the same time; each is asked for four times a second. */
const MOST_WAITED_FOR = 64;

export interface DeskDeps {
  readonly db: Database;
  /** Known once a converter was looked for: what makes renditions, or undefined and why nothing does. */
  readonly maker: Promise<{ readonly renderer: Renderer | undefined; readonly reason: string }>;
}

/** Where renditions are asked for that may not be there yet. */
export interface RenditionDesk {
  /**
   * Resolves when a rendition is there, which puts its recording first in the queue and waits for at most ten
   * seconds; with false when there is no such recording. However many ask, it is made once.
   *
   * @throws LibraryError `rendition-failed`, `rendition-pending`, `no-converter`
   */
  await(recordingName: string, kind: RenditionKind): Promise<boolean>;
}

export function createRenditionDesk({ db, maker }: DeskDeps): RenditionDesk {
  const waited = new Map<string, Promise<boolean>>();

  async function look(recordingName: string, kind: RenditionKind): Promise<'there' | 'gone' | 'lacking'> {
    const found = await findRendition(db, recordingName, kind);
    if (found === undefined) return 'gone';
    if (found.rendition?.state === 'failed') {
      throw new LibraryError('rendition-failed', `This rendition cannot be made: ${found.rendition.reason}`);
    }
    if (found.rendition !== undefined) return 'there';
    return 'lacking';
  }

  async function waitFor(recordingName: string, kind: RenditionKind): Promise<boolean> {
    const until = performance.now() + PATIENCE;
    const { renderer, reason } = await maker;
    if (renderer === undefined) throw noConverter(reason);
    if (!(await hurryJob(db, recordingName))) return false;
    renderer.wake({ isUrgent: true });
    for (;;) {
      await renderer.progress(LOOK);
      const found = await look(recordingName, kind);
      if (found !== 'lacking') return found === 'there';
      if (performance.now() >= until || renderer.isClosed()) throw pending();
    }
  }

  return {
    async await(recordingName, kind) {
      const name = `${recordingName}-${kind}`;
      const known = waited.get(name);
      if (known !== undefined) return await known;
      const found = await look(recordingName, kind);
      if (found !== 'lacking') return found === 'there';
      const begun = waited.get(name);
      if (begun !== undefined) return await begun;
      if (waited.size >= MOST_WAITED_FOR) throw pending();
      const waiting = waitFor(recordingName, kind).finally(() => waited.delete(name));
      waited.set(name, waiting);
      return await waiting;
    },
  };
}

/** Says why nothing is made here. */
export function noConverter(reason: string): LibraryError {
  return new LibraryError('no-converter', `This service makes no renditions: ${reason}`);
}

/** To be asked for again. */
export function pending(): LibraryError {
  return new LibraryError('rendition-pending', 'This rendition is not made yet; try again in a moment.');
}
