import type { DatabaseAddress } from '../catalogue/database.ts';
import type { Config } from '../config.ts';
import type { Figures } from '../http/metrics.ts';

/** What a worker is told before it does anything. */
export interface WorkerSetup {
  /** From 1; one that replaces another has the other's number. */
  readonly number: number;
  /** The worker's own share of what the service may have. */
  readonly config: Config;
  readonly database: DatabaseAddress;
}

/** One request, of one who is counted. */
export interface Hit {
  readonly key: string;
  readonly windowMs: number;
}

/** What is told without an answer. */
export interface Notes {
  /** Of a worker: its modules are loaded. */
  readonly loaded: null;
  /** To a worker. */
  readonly start: WorkerSetup;
  /** Of a worker: the address to tell people of, and all that there are. */
  readonly listening: { readonly address: string; readonly all: readonly string[] };
  /** Of a worker: what keeps it from starting, in the operator's terms. */
  readonly failed: { readonly reason: string };
  /** To a worker: end with grace, in at most so many ms. */
  readonly stop: { readonly graceMs: number };
}

/** What is asked, and how it is answered. */
export interface Questions {
  /** Of a worker: count these, and tell the counts in the same order. */
  readonly count: {
    readonly asked: readonly Hit[];
    readonly answer: readonly { readonly hits: number; readonly msLeft: number }[];
  };
  /** Of a worker: the figures of all, as Prometheus reads them. */
  readonly metrics: { readonly asked: null; readonly answer: string };
  /** Of a worker, who deleted the recording of this name: have all others forget it. Of the primary: forget it. */
  readonly forget: { readonly asked: string; readonly answer: null };
  /** Of a worker, whose caller of this key wrote something: have all others know. Of the primary: know it. */
  readonly wrote: { readonly asked: string; readonly answer: null };
  /** Of the primary: do you still work? */
  readonly alive: { readonly asked: null; readonly answer: null };
  /** Of the primary: the figures of the worker alone. */
  readonly figures: { readonly asked: null; readonly answer: Figures };
}

/** How long an answer is waited for, ms. Asking all workers for their figures takes as long as the slowest. */
export const PATIENCE = {
  count: 1_000,
  forget: 1_000,
  wrote: 1_000,
  alive: 10_000,
  figures: 1_000,
  metrics: 3_000,
} as const satisfies Record<keyof Questions, number>;
