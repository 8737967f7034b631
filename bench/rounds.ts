import { type Goal, type Row, say } from './figures.ts';

/** A goal, and which figure of a measurement it is about. */
export interface Aim<Measured> extends Goal {
  readonly figure: (of: Measured) => number;
}

export interface Plan {
  /** What is said before each figure. */
  readonly title: string;
  readonly rounds: number;
  /** Whether each is measured once before, for nothing: code is compiled when it has run. */
  readonly warmUp: boolean;
}

/**
 * Measures everybody once a round, A B C, then C B A, so that a slow minute of the machine hits all of them.
 * One list a name, in the order of the rounds.
 */
export async function inRounds<Name extends string, Measured>(
  { title, rounds, warmUp }: Plan,
  names: readonly Name[],
  measure: (name: Name) => Promise<Measured>,
  brief: (of: Measured) => string,
): Promise<Readonly<Record<Name, readonly Measured[]>>> {
  const measured = Object.fromEntries(names.map((name) => [name, [] as Measured[]])) as Record<
    Name,
    Measured[]
  >;
  for (let round = warmUp ? 0 : 1; round <= rounds; round += 1) {
    for (const name of round % 2 === 1 ? names : names.toReversed()) {
      const found = await measure(name);
      say(`${title}, ${round === 0 ? 'to warm up' : `${round} of ${rounds}`}, ${name}: ${brief(found)}`);
      if (round > 0) measured[name].push(found);
    }
  }
  return measured;
}

/** The ratio of ours to the peer's in each round; none when the peer was left out. */
export function ratio<Measured>(
  ours: readonly Measured[],
  peer: readonly Measured[] | undefined,
  { figure, ...goal }: Aim<Measured>,
): readonly Row[] {
  if (peer === undefined) return [];
  const ratios = ours.flatMap((mine, round) => {
    const other = peer[round];
    return other === undefined ? [] : [figure(mine) / figure(other)];
  });
  return [{ goal, ratios }];
}
