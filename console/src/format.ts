import { words } from './words.ts';

/** Of the language of the page, and where the browser knows one of it, its figures and dates. */
const locale = navigator.languages.find((each) => each.startsWith(words.locale)) ?? words.locale;
/** Each is made when it is first needed: the first of a kind takes a browser some milliseconds. */
const whole = onFirstUse(() => new Intl.NumberFormat(locale));
const tenths = onFirstUse(
  () => new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
);
const percent = onFirstUse(() => new Intl.NumberFormat(locale, { style: 'percent' }));
const day = onFirstUse(() => new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }));
const moment = onFirstUse(() => new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }));

export const asNumber = (figure: number): string => whole().format(figure);
export const asTenths = (figure: number): string => tenths().format(figure);
export const asShare = (share: number): string => percent().format(share);
export const asDay = (instant: string): string => day().format(new Date(instant));
export const asMoment = (instant: string | number): string => moment().format(new Date(instant));

function onFirstUse<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Minutes and seconds, with tenths where that is all there is. */
export function asDuration(ms: number | null): string {
  if (ms === null) return words.none;
  if (ms < 10_000) return `${tenths().format(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const rest = String(seconds % 60).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`;
}

/** Of a position in a recording. */
export function asClock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}.${Math.floor((seconds - whole) * 10)}`;
}

/** With a tenth below ten, and without from there on. */
const STEPS = (['kilobyte', 'megabyte', 'gigabyte'] as const).map((unit) =>
  [1, 0].map((maximumFractionDigits) =>
    onFirstUse(() => new Intl.NumberFormat(locale, { style: 'unit', unit, maximumFractionDigits })),
  ),
);

export function asBytes(bytes: number): string {
  let step = 0;
  let figure = bytes / 1024;
  while (figure >= 1000 && step < STEPS.length - 1) {
    figure /= 1024;
    step += 1;
  }
  return STEPS[step]?.[figure < 10 ? 0 : 1]?.().format(figure) ?? '';
}

const SPANS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** In the largest unit that fits. */
export function asSpan(seconds: number): string {
  const [unit, length] =
    SPANS.find(([, size]) => seconds >= size && seconds % size === 0) ?? (['second', 1] as const);
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(seconds / length);
}

/** "48 kHz, stereo" in numbers. */
export function asFormat(prompt: {
  readonly codec: string;
  readonly sample_rate: number | null;
  readonly channels: number | null;
}): string {
  const rate = prompt.sample_rate === null ? [] : [`${whole().format(prompt.sample_rate / 1000)} kHz`];
  const channels = prompt.channels === null ? [] : [`${prompt.channels} ch`];
  return [prompt.codec, ...rate, ...channels].join(' · ');
}
