/** How often a process is asked whether it still works, ms, and how many questions in a row it may leave unanswered. */
export interface Pace {
  readonly everyMs: number;
  readonly mostUnanswered: number;
}

/** A minute: longer than any pause of a process that will go on. */
export const PACE: Pace = { everyMs: 10_000, mostUnanswered: 6 };

/**
 * Asks until it is told to stop, and calls `onSilent` once when too many questions in a row were left unanswered.
 * Counts questions and not time: who asks may have been halted itself, and then hears late what was said in time.
 */
export function watch(
  isAlive: () => Promise<unknown>,
  { everyMs, mostUnanswered }: Pace,
  onSilent: () => void,
): () => void {
  let unanswered = 0;
  const stop = () => clearInterval(timer);
  const timer = setInterval(() => {
    if (unanswered >= mostUnanswered) {
      stop();
      onSilent();
      return;
    }
    unanswered += 1;
    isAlive().then(
      () => {
        unanswered = 0;
      },
      () => undefined,
    );
  }, everyMs);
  return stop;
}
