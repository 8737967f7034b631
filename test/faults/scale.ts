import process from 'node:process';
import { mulberry32 } from '../support/wav.ts';

/** Whether this is the run that every check of a change can afford: fewer rounds and clients, the same faults. */
export const isShort = process.env['FAULTS'] === 'short';

/** A figure of the full run and of the short one. */
export const scaled = (full: number, short: number): number => (isShort ? short : full);

/** Decides every choice of a run; printed at its start. It repeats the choices, not their timing. */
export const SEED = Number(process.env['SEED']);

/** Choices that the seed of the run decides, a sequence of its own for each purpose. */
export function createChance(purpose: string) {
  let salt = SEED;
  for (const char of purpose) salt = (Math.imul(salt, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  const next = mulberry32(salt);
  return {
    /** From 0 up to 1. */
    next,
    /** A whole number from `least` to `most`, both included. */
    whole: (least: number, most: number): number => least + Math.floor(next() * (most - least + 1)),
    isOneIn: (count: number): boolean => next() < 1 / count,
  };
}

export type Chance = ReturnType<typeof createChance>;

/**
 * The middle one of several times: what a promised time is judged by, since the slowest of many tells what else the machine
 * had to do.
 */
export function middle(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  const time = sorted[Math.floor((sorted.length - 1) / 2)];
  if (time === undefined) throw new Error('nothing was measured');
  return time;
}

/** A figure that was measured, on the terminal of whoever runs the suite. */
export function report(what: string, figures: Readonly<Record<string, unknown>>): void {
  const told = Object.entries(figures).map(([name, value]) => `${name} ${String(value)}`);
  process.stdout.write(`  ${what}: ${told.join(', ')}\n`);
}
