import { effect, type Signal, signal } from '@preact/signals';
import { ask, type OrgUnit, Refusal } from './api.ts';
import { isExpired, session } from './session.ts';
import { words } from './words.ts';

/** Asked for when somebody signs in: all that most have. */
const FIRST = 200;
/** Offered for what somebody types. */
const OFFERED = 50;

/** Does the token reach more than one org unit, as far as is known? */
export const isOfMany = signal(false);

/** undefined: not known yet; null: there is none, or none that may be seen. */
export type KnownUnit = OrgUnit | null | undefined;

interface Found {
  readonly org_units: readonly OrgUnit[];
  readonly total: number;
}

const known = new Map<number, Signal<KnownUnit>>();
const unasked = new Set<number>();
let askedWith: string | undefined;

effect(() => {
  const token = session.value?.token;
  if (token === undefined || isExpired.value || token === askedWith) return;
  askedWith = token;
  // What one saw is not for the next who signs in.
  known.clear();
  find('', FIRST).then(
    ({ total }) => {
      if (askedWith === token) isOfMany.value = total > 1;
    },
    () => {
      // Their IDs are shown until somebody signs in again or looks for one.
    },
  );
});

/** What is known of an org unit, now and later: it is asked for where it is not known yet. */
export function unitOf(id: number): Signal<KnownUnit> {
  const found = known.get(id);
  if (found !== undefined) return found;
  const made = signal<KnownUnit>(undefined);
  known.set(id, made);
  if (unasked.size === 0) setTimeout(askForAll);
  unasked.add(id);
  return made;
}

/** What a page shows is asked for together, and not row by row. */
function askForAll(): void {
  const ids = [...unasked];
  unasked.clear();
  for (let i = 0; i < ids.length; i += FIRST) {
    const some = ids.slice(i, i + FIRST);
    const query = new URLSearchParams({ ids: some.join(','), limit: String(FIRST) });
    ask<Found>(`/org-units?${query}`).then(
      ({ org_units: units }) => {
        const found = new Map(units.map((unit) => [unit.org_unit_id, unit]));
        for (const id of some) learn(id, found.get(id) ?? null);
      },
      () => {
        // Whoever asks next asks again.
        for (const id of some) known.delete(id);
      },
    );
  }
}

/** A unit as people and machines know it. */
export function unitText(id: number): string {
  const unit = unitOf(id).value;
  return unit ? words.units.known(unit.name, id) : words.units.unknown(id);
}

/** Org units for what somebody typed, a part of a name or an ID; each below those that lead to it. */
export async function searchUnits(text: string, signal: AbortSignal): Promise<readonly OrgUnit[]> {
  const { org_units: named } = await find(text, OFFERED, signal);
  const others = named.filter(({ org_unit_id: id }) => String(id) !== text);
  const byId = /^[1-9]\d{0,14}$/.test(text) ? await lookUp(Number(text), signal) : [];
  return [...byId, ...(byId.length > 0 ? others : named).toSorted(inTree)];
}

const inTree = (a: OrgUnit, b: OrgUnit) => keyOf(a).localeCompare(keyOf(b));
/** A parent comes before all that is below it. */
const keyOf = ({ path, org_unit_id: id }: OrgUnit) => `${path.join('\u0001')}\u0000${id}`;

async function lookUp(id: number, signal: AbortSignal): Promise<readonly OrgUnit[]> {
  try {
    return [await ask<OrgUnit>(`/org-units/${id}`, { signal })];
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) return [];
    throw error;
  }
}

async function find(name: string, limit: number, signal?: AbortSignal) {
  const query = new URLSearchParams({ name, limit: String(limit) });
  const found = await ask<Found>(`/org-units?${query}`, signal && { signal });
  for (const unit of found.org_units) learn(unit.org_unit_id, unit);
  return found;
}

function learn(id: number, unit: OrgUnit | null): void {
  const found = known.get(id);
  if (found === undefined) known.set(id, signal<KnownUnit>(unit));
  else found.value = unit;
}
