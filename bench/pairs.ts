import { type Goal, type Row, say } from './figures.ts';

/** A goal, and which figure of a measurement it is about. */
export interface Aim<Measured> extends Goal {
  readonly figure: (of: Measured) => number;
}

/**
 * Measures two targets in interleaved pairs, A B B A A B …, so that a slow minute of the machine hits both, and
 * gives for each aim the ratios of ours to the peer's.
 */
export async function inPairs<Target, Measured>(
  pairs: number,
  [ours, peer]: readonly [Target, Target],
  measure: (target: Target) => Promise<Measured>,
  aims: readonly Aim<Measured>[],
): Promise<readonly Row[]> {
  const measured: (readonly [Measured, Measured])[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    if (pair % 2 === 0) {
      const first = await measure(ours);
      measured.push([first, await measure(peer)]);
    } else {
      const first = await measure(peer);
      measured.push([await measure(ours), first]);
    }
  }
  return aims.map(({ figure, ...goal }) => {
    const ratios = measured.map(([a, b]) => figure(a) / figure(b));
    say(`  ${goal.name}: ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}`);
    return { goal, ratios };
  });
}
