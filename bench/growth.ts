import { CLIENT_COLUMN, type Measured, median, type Row, type Section } from './figures.ts';
import { number } from './tables.ts';

/** What was measured while something grew. */
export interface Curve {
  readonly title: string;
  /** What the sizes count. */
  readonly of: string;
  readonly steps: readonly Step[];
}

/** What was measured at one size, one a round. */
export interface Step {
  readonly size: number;
  readonly measured: readonly Measured[];
}

const MEGA = 1024 * 1024;
const FIGURES: Readonly<Record<string, (of: Measured) => number>> = {
  'CPU ms/request': ({ cpuPerRequest }) => cpuPerRequest / 1000,
  'p99 ms': ({ p99 }) => p99,
  'peak RSS MB': ({ peakMemory }) => peakMemory / MEGA,
};
/** What grows by less in a step is flat: more than that is only noise. */
const FLAT = 1.25;

/** A row for each size, with what each figure has grown by since the size before. */
export function growthSection({ title, of, steps }: Curve): Section {
  const growthColumns = Object.keys(FIGURES).flatMap((name) => [name, 'growth']);
  return {
    title: `The price of ${title}`,
    columns: [...growthColumns, '(log n)', '(n log n)', CLIENT_COLUMN],
    rows: steps.map(({ size, measured }, index) => {
      const before = steps[index - 1];
      const times = (growth: (from: Step) => number) =>
        before === undefined ? '' : `× ${number(growth(before))}`;
      const cells = Object.values(FIGURES).flatMap((figure) => [
        measured.map(figure),
        times((from) => median(growths(from.measured, measured, figure))),
      ]);
      return {
        name: `${size} ${of}`,
        cells: [
          ...cells,
          times((from) => logN(size) / logN(from.size)),
          times((from) => nLogN(size) / nLogN(from.size)),
          measured.map(({ clientShare }) => clientShare),
        ],
      };
    }),
  };
}

/** In words, how each figure grows in its steepest step, by the medians. */
export function shapes(curves: readonly Curve[]): Section {
  return {
    title: 'How they grow from size to size: the steepest step',
    columns: Object.keys(FIGURES),
    rows: curves.map(({ title, steps }) => ({
      name: title,
      cells: Object.values(FIGURES).map((figure) => shapeOf(steps, figure)),
    })),
  };
}

/** The steepest step of any figure ÷ the same step of n log n: at most 1, or something grows faster. */
export function growthRows({ title, steps }: Curve): readonly Row[] {
  const perStep = pairsOf(steps).flatMap(([from, to]) =>
    Object.values(FIGURES).map((figure) =>
      growths(from.measured, to.measured, figure).map(
        (growth) => growth / (nLogN(to.size) / nLogN(from.size)),
      ),
    ),
  );
  const ratios =
    perStep[0]?.map((_, round) => Math.max(...perStep.map((growth) => growth[round] ?? 0))) ?? [];
  return [{ goal: { name: `${title}: steepest step of CPU, p99 or memory ÷ n log n`, most: 1 }, ratios }];
}

function shapeOf(steps: readonly Step[], figure: (of: Measured) => number): string {
  const grown = pairsOf(steps).map(([from, to]) => ({
    growth: median(growths(from.measured, to.measured, figure)),
    log: logN(to.size) / logN(from.size),
    nLog: nLogN(to.size) / nLogN(from.size),
  }));
  const steepest = number(Math.max(...grown.map(({ growth }) => growth)));
  const isAll = (holds: (step: (typeof grown)[number]) => boolean) => grown.every(holds);
  if (isAll(({ growth }) => growth <= FLAT)) return `flat (× ${steepest})`;
  if (isAll(({ growth, log }) => growth <= Math.max(FLAT, log))) return `at most log n (× ${steepest})`;
  if (isAll(({ growth, nLog }) => growth <= nLog)) return `at most n log n (× ${steepest})`;
  return `FASTER THAN n log n (× ${steepest})`;
}

const pairsOf = (steps: readonly Step[]): readonly (readonly [Step, Step])[] =>
  steps.flatMap((to, index) => {
    const from = steps[index - 1];
    return from === undefined ? [] : [[from, to] as const];
  });

function growths(
  before: readonly Measured[],
  after: readonly Measured[],
  figure: (of: Measured) => number,
): readonly number[] {
  return after.flatMap((value, round) => {
    const other = before[round];
    return other === undefined ? [] : [figure(value) / figure(other)];
  });
}

/** One more inside, since the logarithm of a single thing is nothing. */
const logN = (n: number) => Math.log2(n + 1);
const nLogN = (n: number) => n * logN(n);
