import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';

/** Decimal digits and nothing else, for a number from `least` to `most`. */
export const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least).max(most));

export const postgresUrl = z.string().regex(/^postgres(ql)?:\/\//, 'must start with postgres://');

/** A PEM may be given as itself, with `\n` written out (as env files need it), or as a path. */
export function pemFrom(value: string, context: z.RefinementCtx): string {
  if (value.includes('-----BEGIN')) return value.replaceAll('\\n', '\n').trim();
  try {
    return readFileSync(value, 'utf8').trim();
  } catch {
    context.addIssue('must be a PEM or the path of a file that can be read');
    return z.NEVER;
  }
}

/** Exact ones alone: a pattern lets in more than was meant, and `*` everybody's pages. */
export function originsFrom(value: string, context: z.RefinementCtx): readonly string[] {
  const origins = value.split(',').map((origin) => origin.trim());
  const isOrigin = (origin: string) => /^https?:[^*]+$/.test(origin) && URL.parse(origin)?.origin === origin;
  if (origins.every(isOrigin)) return origins;
  context.addIssue(
    'must list origins such as https://app.example, with commas between and nothing after the host',
  );
  return z.NEVER;
}

/** Never everybody, and never a number of hops: then a client could write into the header who it is. */
export function networksFrom(value: string, context: z.RefinementCtx): readonly string[] {
  const networks = value.split(',').map((network) => network.trim());
  const isNetwork = (network: string) => {
    const [address = '', bits, ...rest] = network.split('/');
    const most = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
    const isLength = bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= most);
    return most > 0 && isLength && rest.length === 0;
  };
  if (networks.every(isNetwork)) return networks;
  context.addIssue('must list addresses or networks of proxies, such as 10.0.0.0/8, with commas between');
  return z.NEVER;
}

/** As loud as anything on a telephone may be, and as quiet as still makes sense, LUFS. */
const LOUDEST = -5;
const QUIETEST = -40;

/** LUFS, or `off`. */
export function loudnessFrom(value: string, context: z.RefinementCtx): number | 'off' {
  if (value === 'off') return value;
  const lufs = /^-\d{1,2}(\.\d{1,2})?$/.test(value) ? Number(value) : 0;
  if (lufs >= QUIETEST && lufs <= LOUDEST) return lufs;
  context.addIssue(`must be off, or a number from ${QUIETEST} to ${LOUDEST}`);
  return z.NEVER;
}

/** More than any machine has use for. */
const MOST_WORKERS = 256;

/** As many as there are cores to be had, or a number. */
export function workersFrom(value: string, context: z.RefinementCtx): number {
  if (value === 'auto') return availableParallelism();
  const workers = /^[1-9]\d{0,2}$/.test(value) ? Number(value) : 0;
  if (workers >= 1 && workers <= MOST_WORKERS) return workers;
  context.addIssue(`must be auto, or a whole number from 1 to ${MOST_WORKERS}`);
  return z.NEVER;
}
