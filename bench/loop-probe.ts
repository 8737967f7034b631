/**
 * Loaded into the service before it starts (`--import`): says over the channel to its parent what its main thread
 * used, and for how long at most its event loop was held up, between `begin` and `end`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';

/** Milliseconds. */
export interface LoopReport {
  /** User and system time of the main thread. */
  readonly mainThread: number;
  /** The same of all threads. */
  readonly allThreads: number;
  /** The longest time between two turns of the event loop. */
  readonly longestGap: number;
}

/** Begins to watch; what it gives ends that and tells. */
export function watchLoop(): () => LoopReport {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const thread = process.threadCpuUsage();
  const all = process.cpuUsage();
  delays.enable();
  return () => {
    const threadUsed = process.threadCpuUsage(thread);
    const allUsed = process.cpuUsage(all);
    delays.disable();
    return {
      mainThread: (threadUsed.user + threadUsed.system) / 1000,
      allThreads: (allUsed.user + allUsed.system) / 1000,
      longestGap: delays.max / 1e6,
    };
  };
}

let end = watchLoop();
process.on('message', (word) => {
  if (word === 'begin') {
    end = watchLoop();
    process.send?.('begun');
  } else if (word === 'end') {
    process.send?.(end());
  }
});
process.channel?.unref();
