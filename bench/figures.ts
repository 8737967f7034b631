import { cpus, release } from 'node:os';
import process from 'node:process';

/** A ratio that is to be reached, or only to be known where neither bound is set. */
export interface Goal {
  readonly name: string;
  readonly least?: number;
  readonly most?: number;
}

export interface Row {
  readonly goal: Goal;
  /** One ratio a pair. */
  readonly ratios: readonly number[];
}

export function median(values: readonly number[]): number {
  const ordered = [...values].sort((a, b) => a - b);
  const middle = Math.floor(ordered.length / 2);
  const upper = ordered[middle] ?? Number.NaN;
  return ordered.length % 2 === 1 ? upper : ((ordered[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** A table of medians with their spread, and whether each goal was reached. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ goal, ratios }) => {
    const middle = median(ratios);
    const isReached = middle >= (goal.least ?? 0) && middle <= (goal.most ?? Number.POSITIVE_INFINITY);
    const verdict = isReached ? 'reached' : 'not reached';
    const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
    return `| ${goal.name} | ${middle.toFixed(2)} | ${spread} | ${wanted(goal)} | ${isGoal(goal) ? verdict : ''} |`;
  });
  return ['| ratio | median | min–max | goal | |', '| --- | --- | --- | --- | --- |', ...lines].join('\n');
}

const isGoal = ({ least, most }: Goal) => least !== undefined || most !== undefined;

function wanted({ least, most }: Goal): string {
  if (least !== undefined) return `≥ ${least}`;
  return most === undefined ? '' : `≤ ${most}`;
}

export function machine(): string {
  const [first] = cpus();
  return `${cpus().length} × ${first?.model.trim()}, Linux ${release()}, Node ${process.version}`;
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
