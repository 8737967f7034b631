/** Where a command of the operator writes: its result, and beside it what is for the eyes of a person. */
export interface Console {
  /** A line of the result. */
  print(line: string): void;
  /** Text beside the result. */
  remark(text: string): void;
  /** Does a person see the remarks as they come? */
  readonly isWatched: boolean;
}

/** How often the line of progress is drawn in its place, and how often one is added to a log, ms. */
const REDRAW = 500;
const REPEAT = 5000;

/**
 * Shows one line of progress beside the result and draws it again and again, on a watched console in its place.
 * `isWanted` says whether to do so; undefined leaves it to the console.
 */
export function showProgress(
  console: Console,
  isWanted: boolean | undefined,
  line: () => string,
): { clear(): void; end(): void } {
  if (!(isWanted ?? console.isWatched)) return { clear: () => undefined, end: () => undefined };
  const clear = () => {
    if (console.isWatched) console.remark('\r\x1b[K');
  };
  const timer = setInterval(
    () => {
      clear();
      console.remark(console.isWatched ? line() : `${line()}\n`);
    },
    console.isWatched ? REDRAW : REPEAT,
  ).unref();
  return {
    clear,
    end() {
      clearInterval(timer);
      clear();
    },
  };
}
