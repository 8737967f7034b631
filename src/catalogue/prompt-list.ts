import { sql } from 'kysely';
import { answered, type Database } from './database.ts';
import {
  type PageRequest,
  type Position,
  type PromptPage,
  pageFrom,
  pageOfTree,
  pageOfUnit,
} from './prompt-page.ts';
import type { Shape } from './shape.ts';
import { statement } from './statement.ts';

/**
 * One page in the order asked for, ties broken by id in the same direction, and the exact number of all that match.
 * Undefined when the unit does not lie in the tree of the viewer.
 *
 * Most lists are of a unit that has none below it: they take one question. Only the answer for any other unit is its
 * path, with which its tree is asked for.
 */
export async function listPrompts(
  db: Database,
  shape: Shape,
  request: PageRequest,
): Promise<PromptPage | undefined> {
  const asked = isUsual(request) ? usualPage(db, shape, request) : pageOfUnit(db, shape, request).execute();
  const answer = contentOf(await answered(asked));
  if (answer === null) return undefined;
  if (!answer.startsWith(PATH)) return pageFrom(answer);
  const inTree = contentOf(await answered(pageOfTree(db, shape, request, answer).execute()));
  return inTree === null ? undefined : pageFrom(inTree);
}

/** What every path begins with, and no page. */
const PATH = '/';

/** One text, which is passed on as it is. Null: nothing to be seen. */
interface Answer {
  readonly content: string | null;
}

const contentOf = ([answer]: readonly Answer[]): string | null => answer?.content ?? null;

/** What is asked for all the time, in an order that an index of the unit has: its plan is as good for every unit. */
const isUsual = (request: PageRequest): boolean =>
  USUAL_LIMITS.has(request.limit) &&
  request.sortBy === 'created_on' &&
  request.nameKeyPart === undefined &&
  request.offset === 0;

/** What the dialects have for a page unless told otherwise. */
const USUAL_LIMITS: ReadonlySet<number> = new Set([50, 100]);

type Parameters = Pick<PageRequest, 'viewer' | 'orgUnitId' | 'messageType'> & Position;
type Ask = (db: Database, parameters: Parameters) => Promise<readonly Answer[]>;

/** One statement for each form that the usual page of a shape has. */
async function usualPage(db: Database, shape: Shape, request: PageRequest): Promise<readonly Answer[]> {
  const { viewer, orgUnitId, messageType, after, descending, limit } = request;
  const form = `${limit} ${descending} ${messageType !== undefined} ${after !== undefined}`;
  const forms = usualPages.get(shape) ?? new Map<string, Ask>();
  usualPages.set(shape, forms);
  const ask =
    forms.get(form) ??
    statement((draft, parameters: Parameters) =>
      pageOfUnit(
        draft,
        shape,
        {
          ...request,
          viewer: parameters.viewer,
          orgUnitId: parameters.orgUnitId,
          messageType: messageType === undefined ? undefined : parameters.messageType,
          after: after === undefined ? undefined : { value: parameters.value, id: parameters.id },
        },
        sql.lit(limit),
      ),
    );
  forms.set(form, ask);
  return await ask(db, { viewer, orgUnitId, messageType, value: after?.value ?? '', id: after?.id ?? 0 });
}

/** A shape is a constant of a dialect, so there are as many statements as there are dialects, times a few forms. */
const usualPages = new WeakMap<Shape, Map<string, Ask>>();
