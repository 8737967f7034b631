import type { Database } from '../catalogue/database.ts';
import {
  findOrgUnit,
  findOrgUnits,
  type OrgUnitSearch,
  type SeenOrgUnit,
  type SeenOrgUnits,
} from '../catalogue/org-units.ts';
import { listPrompts } from '../catalogue/prompt-list.ts';
import type { Position } from '../catalogue/prompt-page.ts';
import { findPrompt, type PromptRef } from '../catalogue/prompts.ts';
import type { Reader } from '../catalogue/reader.ts';
import { encodeCursor } from './cursor.ts';
import { inLibraryTerms, orgUnitNotFound, promptNotFound } from './faults.ts';
import { foldName, type Page, type Prompt } from './prompt.ts';
import { promptFrom } from './prompt-row.ts';
import type { MessageType, SortKey } from './vocabulary.ts';
import type { Shape } from './wording.ts';

/** Who asks: a viewer reaches its own org unit and everything below it, and nothing else exists for it. */
export interface Viewer {
  readonly orgUnitId: number;
  /** Tells who asks from all others: whoever wrote something finds it at once. */
  readonly tokenKey?: string | undefined;
}

export interface PromptQuery {
  readonly orgUnitId: number;
  readonly messageType?: MessageType | undefined;
  /** Part of the name, in any case. */
  readonly name?: string | undefined;
  readonly sortBy: SortKey;
  readonly descending: boolean;
  readonly limit: number;
  readonly offset: number;
  /** Where the page before ended; undefined for the first page. */
  readonly after?: Position | undefined;
}

export type { SeenOrgUnit };

/** Asks for a prompt, and for all that is presented with it, in one place. @throws LibraryError `prompt-not-found` */
export type Show = <T>(
  viewer: Viewer,
  ref: PromptRef,
  present: (prompt: Prompt, from: Database) => Promise<T>,
) => Promise<T>;

/** The library's verbs that only read, and what has each writer find what it wrote. */
export function createReading(db: Database, reader: Reader) {
  const show: Show = async (viewer, ref, present) =>
    await inLibraryTerms(async () => {
      const shown = await reader.read(viewer.tokenKey, async (from) => {
        const row = await findPrompt(from, viewer.orgUnitId, ref);
        return row && { it: await present(promptFrom(row), from) };
      });
      if (shown === undefined) throw promptNotFound();
      return shown.it;
    });

  return {
    show,

    /** One page in the words of `shape`, and the exact number of all that match. @throws LibraryError `org-unit-not-found` */
    async list(viewer: Viewer, query: PromptQuery, shape: Shape): Promise<Page> {
      return await inLibraryTerms(async () => {
        const { name, sortBy, descending } = query;
        const nameKeyPart = name === undefined ? undefined : foldName(name);
        const request = { ...query, viewer: viewer.orgUnitId, nameKeyPart };
        const found = await reader.read(viewer.tokenKey, (from) => listPrompts(from, shape, request));
        if (found === undefined) throw orgUnitNotFound();
        const { items, total, end } = found;
        return { items, total, nextCursor: end && encodeCursor({ sortBy, descending, ...end }) };
      });
    },

    /** A prompt as lists show it. @throws LibraryError `prompt-not-found` */
    get: (viewer: Viewer, ref: PromptRef): Promise<Prompt> => show(viewer, ref, async (prompt) => prompt),

    /**
     * A prompt as it is now: for what plays, which must not be late to know of a delete.
     *
     * @throws LibraryError `prompt-not-found`
     */
    async getCurrent(viewer: Viewer, ref: PromptRef): Promise<Prompt> {
      return await inLibraryTerms(async () => {
        const row = await findPrompt(db, viewer.orgUnitId, ref);
        if (row === undefined) throw promptNotFound();
        return promptFrom(row);
      });
    },

    /** The viewer's org unit and all below it whose names have a part in common, by name, and how many there are. */
    async orgUnits(viewer: Viewer, search: Omit<OrgUnitSearch, 'viewer'>): Promise<SeenOrgUnits> {
      return await inLibraryTerms(async () => {
        const ask = (from: Database) => findOrgUnits(from, { ...search, viewer: viewer.orgUnitId });
        return (await reader.read(viewer.tokenKey, ask)) ?? { units: [], total: 0 };
      });
    },

    /** An org unit that the viewer reaches. @throws LibraryError `org-unit-not-found` */
    async orgUnit(viewer: Viewer, id: number): Promise<SeenOrgUnit> {
      return await inLibraryTerms(async () => {
        const unit = await reader.read(viewer.tokenKey, (from) => findOrgUnit(from, viewer.orgUnitId, id));
        if (unit === undefined) throw orgUnitNotFound();
        return unit;
      });
    },

    /** Whatever comes of a write, its writer may have changed something, and looks for it next. */
    async writing<T>({ tokenKey }: Viewer, write: () => Promise<T>): Promise<T> {
      return await inLibraryTerms(async () => {
        try {
          return await write();
        } finally {
          if (tokenKey !== undefined) await reader.wrote(tokenKey);
        }
      });
    },
  };
}
