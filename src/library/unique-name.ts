import { MAX_NAME_LENGTH } from './vocabulary.ts';

/** `name` for 1, `name (2)` for 2 and so on, cut so that the whole stays within the longest name there is. */
export function numberedName(name: string, number: number): string {
  if (number === 1) return name;
  const suffix = ` (${number})`;
  return (
    [...name]
      .slice(0, MAX_NAME_LENGTH - suffix.length)
      .join('')
      .trimEnd() + suffix
  );
}

/**
 * A number from 2 on that is not taken while the one before it is: the next one, where numbers were given in
 * turn. Asks a number of times that grows with the logarithm of how many there are.
 */
export async function firstFreeNumber(isTaken: (number: number) => Promise<boolean>): Promise<number> {
  let taken = 1;
  let free = 2;
  while (await isTaken(free)) {
    taken = free;
    free *= 2;
  }
  while (free - taken > 1) {
    const middle = Math.floor((taken + free) / 2);
    if (await isTaken(middle)) taken = middle;
    else free = middle;
  }
  return free;
}
