import { type Ask, type Group, test } from './audit.ts';
import { DOORS, type Door, FORM_TYPE } from './forms.ts';
import type { WireAnswer } from './wire.ts';

let count = 0;
/** A name that no other test has. */
export const fresh = (what: string) => {
  count += 1;
  return `${what} ${count}`;
};

/** Uploads a body at a door. */
export const send = (ask: Ask, { target }: Door, body: Uint8Array, type = FORM_TYPE): Promise<WireAnswer> =>
  ask({ method: 'POST', target, headers: type, body });

/** Runs the same at both doors. */
export function atEachDoor(what: string, work: (door: Door, group: Group) => Promise<void>): void {
  for (const door of DOORS) test(`${what}: ${door.target}`, ({ group }) => work(door, group));
}
