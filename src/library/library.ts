import type { Readable } from 'node:stream';
import { RENDITIONS, type RenditionKind } from '../audio/renditions.ts';
import { BlobError, type BlobPart, type LinkHeaders, type OpenBlob } from '../blobs/blob-store.ts';
import { findObstacles } from '../catalogue/add-prompt.ts';
import { checkDatabase, queueOf, retriesOf } from '../catalogue/database.ts';
import { pathInTree } from '../catalogue/org-units.ts';
import {
  describePrompt,
  findByBlobName,
  hasPrompts,
  type PromptRef,
  removePrompt,
} from '../catalogue/prompts.ts';
import { type Reader, readPrimary } from '../catalogue/reader.ts';
import { forgetRendition } from '../catalogue/renditions.ts';
import { passed } from '../steps.ts';
import { type AddDeps, add, type Naming } from './add.ts';
import { createAnnouncedNames } from './announced-names.ts';
import { audioVerbs } from './audio-verbs.ts';
import { removeDoomed } from './doomed.ts';
import { inLibraryTerms, nameTaken, orgUnitNotFound, promptNotFound, quotaExceeded } from './faults.ts';
import { foldName, type NewPromptDetails, type Prompt } from './prompt.ts';
import { promptFrom } from './prompt-row.ts';
import { createReading, type Viewer } from './reading.ts';
import { type ReceivedRecording, receive } from './receive.ts';
import { isRecordingName } from './recording-name.ts';
import { pending } from './rendition-desk.ts';
import { createRenditions, type RenditionDeps } from './renditions.ts';
import { createShelf, forgottenByOthers, type Playable, type TellOthers } from './shelf.ts';
import { type OnSetBack, sweep } from './sweeper.ts';
import { partsOf, renditionName, type Track } from './track.ts';

export interface LibraryDeps extends Omit<AddDeps, 'names' | 'wantsRenditions'> {
  /** What the audio that is played often may take of memory, bytes. */
  readonly playbackCacheBytes: number;
  readonly onSetBack?: OnSetBack;
  /** Undefined when nobody else plays. */
  readonly tellOthers?: TellOthers | undefined;
  /** Undefined where none are made. */
  readonly renditions?: RenditionDeps | undefined;
  /** Where lists and single prompts are read; without one, in `db`. */
  readonly reader?: Reader | undefined;
}

export type { OpenBlob };
export type Library = ReturnType<typeof createLibrary>;

/**
 * The library of prompts. Each verb is one use case and rejects with a LibraryError whose code says why;
 * anything else that it rejects with is a fault in the program.
 */
export function createLibrary(given: LibraryDeps) {
  const names = createAnnouncedNames(given);
  const renditions = createRenditions(given, given.renditions);
  const deps = { ...given, names, wantsRenditions: renditions.areMade };
  const { db, blobs, reader = readPrimary(db) } = deps;
  const { list, get, getCurrent, show, orgUnit, orgUnits, writing } = createReading(db, reader);
  const shelf = createShelf({ db, blobs, capacity: deps.playbackCacheBytes });
  let arriving = 0;

  return {
    /** Takes the bytes of a recording; see `receive`. The caller must `add` or `discard` what it gets. */
    async receive(source: Readable, signal: AbortSignal): Promise<ReceivedRecording> {
      arriving += 1;
      renditions.giveWay(arriving);
      try {
        return await inLibraryTerms(() => receive(deps, source, signal));
      } finally {
        renditions.giveWay(arriving);
        arriving -= 1;
      }
    },

    /**
     * Makes a received recording a prompt. When this resolves, prompt and bytes are durable. When it rejects,
     * nothing stays; except with `unavailable`, when nobody knows whether the commit happened: then the ledger
     * decides, and the sweeper takes the bytes only if it did not.
     *
     * @throws LibraryError `org-unit-not-found`, `quota-exceeded`, `upload-interrupted`, and `name-taken` with
     *   exact naming
     */
    async add(
      viewer: Viewer,
      received: ReceivedRecording,
      details: NewPromptDetails,
      naming: Naming = 'exact',
    ): Promise<Prompt> {
      return await writing(viewer, async () => {
        await assertReach(viewer, details.orgUnitId).catch(async (error: unknown) => {
          await received.discard();
          throw error;
        });
        const prompt = await add(deps, received, details, naming);
        renditions.wake();
        return prompt;
      });
    },

    /**
     * Refuses a prompt that would be refused right now, whatever its audio. A hint that saves an upload; only `add`
     * decides.
     *
     * @throws LibraryError `org-unit-not-found`, `name-taken`, `quota-exceeded` when nothing more fits at all
     */
    async assertRoomFor(viewer: Viewer, orgUnitId: number, name: string): Promise<void> {
      await inLibraryTerms(async () => {
        await assertReach(viewer, orgUnitId);
        const nameKey = foldName(name);
        const { isNameInUse, room } = await findObstacles(db, orgUnitId, nameKey, deps.storageQuotaBytes);
        if (isNameInUse) throw nameTaken();
        if (room !== undefined && room.used >= room.quota) throw quotaExceeded(room);
      });
    },

    list,
    get,
    getCurrent,
    orgUnits,
    orgUnit,

    /** Sets or clears the description. @throws LibraryError `prompt-not-found` */
    async describe(viewer: Viewer, ref: PromptRef, description: string | null): Promise<Prompt> {
      return await writing(viewer, async () => {
        const row = await describePrompt(db, viewer.orgUnitId, ref, description);
        if (row === undefined) throw promptNotFound();
        return promptFrom(row);
      });
    },

    /**
     * Removes a prompt; of many calls at once exactly one succeeds. When this resolves, nobody can find it any
     * more; its bytes go now or, if that fails, with the sweeper.
     *
     * @throws LibraryError `prompt-not-found`
     */
    async remove(viewer: Viewer, ref: PromptRef): Promise<void> {
      await writing(viewer, async () => {
        const removed = await removePrompt(db, viewer.orgUnitId, ref, deps.uploadLeaseMs);
        if (removed === undefined) throw promptNotFound();
        passed('delete-committed');
        shelf.forget(removed.name);
        await Promise.all([
          forgottenByOthers(removed.name, deps.tellOthers),
          removeDoomed(deps, removed.blobs),
        ]);
      });
    },

    findPlayable,

    /** The prompt of a recording, whoever asks; undefined when there is none. */
    async findByRecording(name: string): Promise<Prompt | undefined> {
      if (!isRecordingName(name)) return undefined;
      return await inLibraryTerms(async () => (await shelf.take(name))?.prompt);
    },

    /** What plays as this file if neither database nor store need to be asked; else undefined. */
    atHand(file: string): Playable | undefined {
      const playable = shelf.atHand(file.slice(0, file.indexOf('.')));
      return playable !== undefined && playable.track.file === file ? playable : undefined;
    },

    /** No longer plays from memory what was removed elsewhere. */
    forget: (recordingName: string) => shelf.forget(recordingName),

    /** Has who wrote elsewhere find it here as well. */
    heardOfWrite: (writer: string) => reader.heard(writer),

    /** What the replica is good for; undefined where there is none. */
    replica: () => reader.figures(),

    /** How much is kept for playing, and how often it was of use. */
    shelf: () => shelf.figures(),

    /**
     * Opens the bytes of what plays, of which `first` are read first. Undefined when its prompt was deleted a moment ago, and for a rendition whose
     * bytes are gone: that one is forgotten then, and made again by who asks for it next.
     *
     * @throws LibraryError `recording-missing` when the prompt is there and its bytes are not
     */
    async open(
      { prompt, track }: Pick<Playable, 'prompt' | 'track'>,
      first?: BlobPart,
    ): Promise<OpenBlob | undefined> {
      return await inLibraryTerms(async () => {
        try {
          return await blobs.open(track.key, first);
        } catch (error) {
          const isGone = error instanceof BlobError && error.code === 'not-found';
          if (isGone && (await mayBeGone(prompt, track))) return undefined;
          throw error;
        }
      });
    },

    /** Where a client is to fetch the bytes of what plays, for a few minutes; undefined where they come from here. */
    async link({ track }: Pick<Playable, 'track'>, headers: LinkHeaders): Promise<string | undefined> {
      return await inLibraryTerms(async () => await blobs.link?.(track.key, headers));
    },

    ...audioVerbs({ getCurrent, show, findPlayable, renditions }),

    /** Is there no prompt at all, in no org unit? */
    isEmpty: () => inLibraryTerms(async () => !(await hasPrompts(db))),

    /** Removes what nobody will come back for; see `sweep`. */
    sweep: () => inLibraryTerms(() => sweep(db, blobs, deps.uploadLeaseMs, deps.onSetBack)),

    /** Gives back what is being converted, and keeps nobody waiting for a rendition. Idempotent. Never rejects. */
    endRendering: () => renditions.close(),

    /** Takes back what was only prepared or begun; to be called once nothing is received any more. Never rejects. */
    async close() {
      await renditions.close();
      await names.close();
    },

    /** Who waits for the database now, because it is busy with others. */
    databaseQueue: () => queueOf(db),

    /** How often something was begun anew in the database, because others stood in its way. */
    databaseRetries: () => retriesOf(db),

    /** Does the database answer? Never rejects. */
    hasDatabase: () => isFulfilled(checkDatabase(db)),

    /** Does the store of the bytes? Never rejects. */
    hasBlobs: () => isFulfilled(blobs.check()),
  };

  /**
   * What plays under this name and extension, whoever asks; undefined when there is nothing. A rendition that is not
   * there yet is made first, which may take ten seconds.
   *
   * @throws LibraryError `rendition-failed`, `rendition-pending`, `no-converter`
   */
  async function findPlayable(name: string, extension: string): Promise<Playable | undefined> {
    const { recordingName, kind } = partsOf(name);
    if (!isRecordingName(recordingName)) return undefined;
    if (kind !== undefined && RENDITIONS[kind].extension !== extension) return undefined;
    return await inLibraryTerms(async () => {
      const playable = await shelf.take(name);
      if (kind === undefined) return playable?.track.file === `${name}.${extension}` ? playable : undefined;
      return playable ?? (await madeFirst(recordingName, kind));
    });
  }

  async function madeFirst(recordingName: string, kind: RenditionKind): Promise<Playable | undefined> {
    if (!(await renditions.await(recordingName, kind))) return undefined;
    const made = await shelf.take(renditionName(recordingName, kind));
    // Somebody's question from before it was there may be the one that was answered.
    if (made === undefined) throw pending();
    return made;
  }

  /** Bytes are missing only with their prompt, or where they can be made again: that is seen to here. */
  async function mayBeGone({ recording }: Prompt, { renditionBlob }: Track): Promise<boolean> {
    if (renditionBlob === undefined) return (await findByBlobName(db, recording.name)) === undefined;
    // A store that lost all its files at once is away.
    await blobs.checkReading();
    await forgetRendition(db, renditionBlob, deps.uploadLeaseMs);
    shelf.forget(recording.name);
    return true;
  }

  async function isFulfilled(work: Promise<unknown>): Promise<boolean> {
    return await work.then(
      () => true,
      () => false,
    );
  }

  /** The foreign key vouches for the viewer's own unit, so the common case asks nothing. */
  async function assertReach(viewer: Viewer, orgUnitId: number): Promise<void> {
    if (orgUnitId === viewer.orgUnitId) return;
    if ((await pathInTree(db, viewer.orgUnitId, orgUnitId)) === undefined) throw orgUnitNotFound();
  }
}
