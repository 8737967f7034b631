import { words } from './words.ts';

/*
 * Written out, and not by Intl: its first use takes a browser about as long as rendering the list, which would wait for it.
 * Only `asSpan` is of no list.
 */

const { figures, dates } = words;

export const asNumber = (figure: number): string =>
  String(figure).replace(/\B(?=(?:\d{3})+$)/g, figures.thousands);
export const asTenths = (figure: number): string => withDecimals(figure.toFixed(1));
export const asShare = (share: number): string => figures.percent(String(Math.round(share * 100)));

const withDecimals = (figure: number | string): string => String(figure).replace('.', figures.decimal);

export function asDay(instant: string | number): string {
  const date = new Date(instant);
  return dates.day(String(date.getDate()), dates.months[date.getMonth()] ?? '', String(date.getFullYear()));
}

export function asMoment(instant: string | number): string {
  const date = new Date(instant);
  return dates.moment(asDay(instant), `${inTwo(date.getHours())}:${inTwo(date.getMinutes())}`);
}

const inTwo = (figure: number): string => String(figure).padStart(2, '0');

/** Minutes and seconds, with tenths where that is all there is. */
export function asDuration(ms: number | null): string {
  if (ms === null) return words.none;
  if (ms < 10_000) return `${asTenths(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const rest = inTwo(seconds % 60);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${inTwo(minutes % 60)}:${rest}`;
}

/** Of a position in a recording. */
export function asClock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${inTwo(whole % 60)}.${Math.floor((seconds - whole) * 10)}`;
}

/** Three digits at most, and a tenth below ten. */
export function asBytes(bytes: number): string {
  let step = 0;
  let figure = bytes / 1024;
  while (figure >= 1000 && step < figures.sizes.length - 1) {
    figure /= 1024;
    step += 1;
  }
  const rounded = figure < 10 ? Math.round(figure * 10) / 10 : Math.round(figure);
  return `${withDecimals(rounded)} ${figures.sizes[step]}`;
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
  const locale = navigator.languages.find((each) => each.startsWith(words.locale)) ?? words.locale;
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(seconds / length);
}

/** "48 kHz, stereo" in numbers. */
export function asFormat(prompt: {
  readonly codec: string;
  readonly sample_rate: number | null;
  readonly channels: number | null;
}): string {
  const rate = prompt.sample_rate === null ? [] : [`${withDecimals(prompt.sample_rate / 1000)} kHz`];
  const channels = prompt.channels === null ? [] : [`${prompt.channels} ch`];
  return [prompt.codec, ...rate, ...channels].join(' · ');
}
