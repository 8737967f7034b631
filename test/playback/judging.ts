import { expect } from 'vitest';
import { lasting, type Reply } from './http-client.ts';
import type { Sound } from './recordings.ts';
import { type Expected, partsOf } from './reference.ts';

/** Who serves it, which decides some headers. */
export interface Source {
  readonly cacheControl: string;
  readonly contentDisposition?: string;
  readonly errorType: string;
}

export const PLAYBACK: Source = {
  cacheControl: 'public, max-age=86400',
  errorType: 'application/json; charset=utf-8',
};

/** Why an answer is not the one expected, down to the last byte; empty when it is. */
export function faultsOf(
  reply: Reply,
  method: string,
  sound: Sound,
  { status, stretches }: Expected,
  source: Source = PLAYBACK,
): readonly string[] {
  const faults: string[] = [];
  const same = (what: string, actual: unknown, wanted: unknown) => {
    if (actual !== wanted) faults.push(`${what} is ${String(actual)}, not ${String(wanted)}`);
  };
  same('status', reply.status, status);
  if (faults.length > 0) return faults;
  const { headers, body } = reply;
  if (status >= 400) {
    same('cache-control', headers['cache-control'], 'no-store');
    same('content-type', headers['content-type'], source.errorType);
    same(
      'content-range',
      headers['content-range'],
      status === 416 ? `bytes */${sound.bytes.byteLength}` : undefined,
    );
    same('etag', headers.etag, undefined);
    if (method === 'HEAD') same('length', body.byteLength, 0);
    else if (JSON.parse(body.toString()) === null || body.byteLength > 1000) faults.push('no small JSON');
    return faults;
  }
  same('etag', headers.etag, sound.etag);
  same('cache-control', headers['cache-control'], source.cacheControl);
  if (headers['last-modified'] === undefined) faults.push('no last-modified');
  if (status === 304) {
    same('body', body.byteLength, 0);
    const known = ['cache-control', 'etag', 'last-modified'];
    same('headers', Object.keys(lasting(headers)).sort().join(), known.join());
    return faults;
  }
  same('accept-ranges', headers['accept-ranges'], 'bytes');
  same('nosniff', headers['x-content-type-options'], 'nosniff');
  same('content-disposition', headers['content-disposition'], source.contentDisposition);
  if (method === 'HEAD') {
    same('content-length', headers['content-length'], String(sound.bytes.byteLength));
    same('content-type', headers['content-type'], sound.type);
    same('body', body.byteLength, 0);
    return faults;
  }
  same('content-length', headers['content-length'], String(body.byteLength));
  return [...faults, ...bodyFaults(reply, sound, stretches ?? [])];
}

function bodyFaults(
  { status, headers, body }: Reply,
  sound: Sound,
  stretches: NonNullable<Expected['stretches']>,
): readonly string[] {
  const size = sound.bytes.byteLength;
  const [only, ...others] = stretches;
  if (only === undefined) return ['nothing was expected'];
  const parts =
    others.length > 0
      ? partsOf(headers['content-type'] ?? '', body)
      : [{ type: headers['content-type'], range: headers['content-range'], bytes: body }];
  if (others.length > 0 && headers['content-range'] !== undefined)
    return ['a content-range beside the parts'];
  if (parts.length !== stretches.length) return [`${parts.length} parts, not ${stretches.length}`];
  return stretches.flatMap(([first, last], i) => {
    const { type, range, bytes } = parts[i] ?? {};
    const wanted = status === 206 ? `bytes ${first}-${last}/${size}` : undefined;
    return [
      ...(type === sound.type ? [] : [`type ${type}`]),
      ...(range === wanted ? [] : [`range ${range}, not ${wanted}`]),
      ...(bytes?.equals(sound.bytes.subarray(first, last + 1)) ? [] : [`other bytes at ${first}-${last}`]),
    ];
  });
}

/** Fails with the reason. */
export function expectAnswer(...args: Parameters<typeof faultsOf>): void {
  expect(faultsOf(...args)).toEqual([]);
}
