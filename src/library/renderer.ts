import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { BlobError } from '../blobs/blob-store.ts';
import { CatalogueError } from '../catalogue/catalogue-error.ts';
import { claimJob, postponeJob, type RenditionJob, renewJob } from '../catalogue/rendition-jobs.ts';
import { ConversionError } from '../conversion/converter.ts';
import { passed } from '../steps.ts';
import { holdLease } from './lease.ts';
import { giveUp, type MakeDeps, makeRenditions } from './make-renditions.ts';
import { clearWorkbenches } from './workbench.ts';

export interface RendererDeps extends MakeDeps {
  /** Recordings worked at together. */
  readonly atOnce: number;
  /** Told of what failed and is tried again, or given up. */
  readonly onFault: (
    error: unknown,
    job: { readonly recordingName: string; readonly attempts: number },
  ) => void;
}

/** What a renderer is doing, and what came of its work since its start. */
export interface RendererFigures {
  /** Recordings being worked at. */
  readonly running: number;
  readonly made: number;
  /** Given up for good. */
  readonly failed: number;
  /** To be tried again. */
  readonly postponed: number;
}

/** What works off the queue of renditions. */
export interface Renderer {
  /** Looks whether there is something to do: once uploads leave room for it, or at once where somebody waits. */
  wake(options?: { readonly isUrgent?: boolean }): void;
  /** To be told whenever an upload begins or ends, with how many arrive at that moment: those go first. */
  giveWay(arriving: number): void;
  /** Resolves when this process is done with some recording; at the latest after `ms`. */
  progress(ms: number): Promise<void>;
  readonly figures: () => RendererFigures;
  /** Whether nothing more comes of it. */
  readonly isClosed: () => boolean;
  /** Gives back what is being worked at, and keeps nobody waiting. Idempotent. */
  close(): Promise<void>;
}

/** How long a job is held without a sign of life, of the lease of an upload; and at least, ms. */
const LEASE_SHARE = 1 / 2;
const SHORTEST_LEASE = 5_000;
/** How often the queue is looked at for what other processes put there, and what is due again, ms. */
const LOOK = 2_000;
/**
 * Uploads have the machine for themselves while there is one for every two jobs that may run, and no pause between them is
 * as long as this, ms; but no job is put off for longer than that, ms.
 */
const QUIET = 250;
const LONGEST_WAY = 15_000;

/** How often a conversion is tried before it is given up, and the pause after the first, ms, doubled each time. */
const ATTEMPTS = 5;
const FIRST_PAUSE = 30_000;
/**
 * After what is no fault of the recording, a store or a database that is away or full, this process rests for so long,
 * ms, doubled each time: whatever it converted would come to nothing, too.
 */
const FIRST_REST = 5_000;
const LONGEST_REST = 300_000;

/**
 * Works at what is queued, at most `atOnce` recordings together. A process that dies at work holds its jobs until
 * their leases end, and then others go on. One that fails is tried again after growing pauses, a bounded number of times.
 */
export function createRenderer(deps: RendererDeps): Renderer {
  const { db } = deps;
  const leaseMs = Math.max(deps.uploadLeaseMs * LEASE_SHARE, SHORTEST_LEASE);
  const stopping = new AbortController();
  const working = new Set<Promise<void>>();
  const figures = { running: 0, made: 0, failed: 0, postponed: 0 };
  let afterUnit = 0;
  const waiting = new Set<() => void>();
  const ready = clearWorkbenches();
  const looking = setInterval(() => wake(), LOOK).unref();
  let lastUpload = Number.NEGATIVE_INFINITY;
  let isUrgent = false;
  let rests = 0;
  let restsUntil = Number.NEGATIVE_INFINITY;

  function wake(options: { readonly isUrgent?: boolean } = {}): void {
    isUrgent ||= options.isUrgent ?? false;
    if (stopping.signal.aborted || working.size >= deps.atOnce) return;
    const work = workOff().finally(() => working.delete(work));
    working.add(work);
  }

  /** A converter of low priority still takes caches and the disk from who answers a caller. */
  async function untilQuiet(): Promise<void> {
    const { signal } = stopping;
    const latest = performance.now() + LONGEST_WAY;
    while (!isUrgent && !signal.aborted && performance.now() < Math.min(lastUpload + QUIET, latest)) {
      await delay(QUIET / 5, undefined, { ref: false });
    }
    isUrgent = false;
  }

  async function workOff(): Promise<void> {
    await ready;
    while (!stopping.signal.aborted && performance.now() >= restsUntil) {
      await untilQuiet();
      // A database that is away is asked again at the next look.
      const holder = randomUUID();
      const job = await claimJob(db, { holder, leaseMs, afterUnit }).catch(() => undefined);
      if (job === undefined) return;
      passed('renditions-claimed');
      afterUnit = job.orgUnitId;
      // There may be more than one can do.
      wake();
      figures.running += 1;
      await perform(job, holder);
      figures.running -= 1;
      tellOfProgress();
    }
  }

  async function perform(job: RenditionJob, holder: string): Promise<void> {
    const renew = () => renewJob(db, job.recordingId, holder, leaseMs);
    const lease = holdLease(renew, leaseMs, () => new Error('the job is no longer ours'));
    const signal = AbortSignal.any([stopping.signal, lease.signal]);
    try {
      // Whoever tried before may have been taken down by it.
      if (job.attempts > ATTEMPTS) await abandon(job, holder, 'The conversion was broken off each time.');
      else if (await makeRenditions(deps, job, holder, signal)) figures.made += 1;
      rests = 0;
    } catch (error) {
      // Should this fail too, the lease decides.
      await settle(job, holder, error, lease.signal).catch(() => undefined);
    } finally {
      lease.release();
    }
  }

  async function settle(job: RenditionJob, holder: string, error: unknown, lost: AbortSignal): Promise<void> {
    const { recordingId, attempts } = job;
    if (lost.aborted) return;
    if (stopping.signal.aborted) {
      await postponeJob(db, recordingId, holder, { pauseMs: 0, isForgiven: true });
      return;
    }
    deps.onFault(error, job);
    const reason = finalReason(error, attempts);
    if (reason !== undefined) {
      await abandon(job, holder, reason);
      return;
    }
    figures.postponed += 1;
    const isForgiven = isOfStores(error);
    if (isForgiven) rest();
    const pauseMs = isForgiven ? FIRST_PAUSE : FIRST_PAUSE * 2 ** (attempts - 1);
    await postponeJob(db, recordingId, holder, { pauseMs, isForgiven });
  }

  function rest(): void {
    restsUntil = performance.now() + Math.min(FIRST_REST * 2 ** rests, LONGEST_REST);
    rests += 1;
  }

  async function abandon(job: RenditionJob, holder: string, reason: string): Promise<void> {
    if (await giveUp(deps, job, holder, reason)) figures.failed += 1;
  }

  function tellOfProgress(): void {
    for (const tell of waiting) tell();
  }

  return {
    wake,
    giveWay(arriving) {
      if (arriving * 2 >= deps.atOnce) lastUpload = performance.now();
    },
    progress: (ms) =>
      new Promise((resolve) => {
        const tell = () => {
          clearTimeout(timer);
          waiting.delete(tell);
          resolve();
        };
        const timer = setTimeout(tell, ms);
        waiting.add(tell);
      }),
    figures: () => ({ ...figures }),
    isClosed: () => stopping.signal.aborted,
    async close() {
      clearInterval(looking);
      stopping.abort(new Error('the service ends'));
      tellOfProgress();
      await Promise.all(working);
    },
  };
}

/** Why a job is not tried again; undefined when it is. */
function finalReason(error: unknown, attempts: number): string | undefined {
  if (error instanceof ConversionError && error.code === 'unusable-audio') return error.message;
  if (attempts < ATTEMPTS || isOfStores(error)) return undefined;
  const why = error instanceof ConversionError ? error.message : 'The conversion failed.';
  return `${why} It was tried ${attempts} times.`;
}

/** A store that is away, or full, says nothing about the recording; nor does a disk that it is worked at on. */
function isOfStores(error: unknown): boolean {
  if (error instanceof Error && 'syscall' in error) return true;
  return (error instanceof CatalogueError || error instanceof BlobError) && error.code !== 'not-found';
}
