import type { Client, Reply } from './http-client.ts';

/** Why an engine would not play, or not play as it should; empty when all is well. */
export type Complaints = readonly string[];

export interface Playing {
  readonly complaints: Complaints;
  /** What it plays; undefined when it does not. */
  readonly sound: Buffer | undefined;
}

/** What is wrong with how a recording played; empty when it played to the last byte. */
export function faultsOfPlaying({ complaints, sound }: Playing, bytes: Buffer): Complaints {
  if (sound === undefined) return [...complaints, 'nothing plays'];
  return sound.equals(bytes) ? complaints : [...complaints, 'something else plays'];
}

const MAX_LINE = 1023;

/** What each engine makes of the end of a url and of a Content-Type; without parameters, except for the last. */
const ASTERISK_TYPES: Readonly<Record<string, string>> = {
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/basic': 'pcm',
  'audio/gsm': 'gsm',
  'audio/x-wav;codec=pcm;bit=16;rate=16000': 'wav16',
};

interface Kept {
  readonly sound: Buffer;
  readonly etag: string | undefined;
  readonly until: number;
}

/**
 * res_http_media_cache: a plain GET, then nothing until it is stale, then HEAD with If-None-Match, where 304 alone
 * saves another GET. `play` is told the time, in seconds.
 */
export function createAsterisk(client: Client) {
  const kept = new Map<string, Kept>();
  const requests: string[] = [];

  async function download(path: string, now: number): Promise<Playing> {
    requests.push('GET');
    const reply = await client.ask('GET', path);
    const complaints = [...lineComplaints(reply), ...freshnessComplaints(reply), ...etagComplaints(reply)];
    if (reply.status < 200 || reply.status > 299) complaints.push(`playback fails with ${reply.status}`);
    if (reply.body.byteLength === 0) complaints.push('an empty file is kept as the sound');
    const extension = /\.([^./]+)$/.exec(path)?.[1];
    const mapped = ASTERISK_TYPES[reply.headers['content-type'] ?? ''] ?? extension;
    if (mapped !== extension) complaints.push(`.${extension} is read as .${mapped}`);
    if (complaints.length > 0) return { complaints, sound: undefined };
    const until = now + (lifetimeOf(reply) ?? 0);
    kept.set(path, { sound: reply.body, etag: reply.headers.etag, until });
    return { complaints, sound: reply.body };
  }

  return {
    requests,
    async play(path: string, now: number): Promise<Playing> {
      const known = kept.get(path);
      if (known === undefined) return await download(path, now);
      if (now < known.until) return { complaints: [], sound: known.sound };
      requests.push('HEAD');
      const reply = await client.ask('HEAD', path, { 'If-None-Match': known.etag ?? '' });
      if (reply.status !== 304) {
        kept.delete(path);
        return await download(path, now);
      }
      const complaints = [...lineComplaints(reply), ...freshnessComplaints(reply)];
      if (reply.headers.etag !== known.etag) complaints.push('the 304 has another ETag');
      kept.set(path, { ...known, until: now + (lifetimeOf(reply) ?? 0) });
      return { complaints, sound: known.sound };
    },
  };
}

/** mod_http_cache: GET alone, never a condition; the extension is what follows the last dot of the whole url. */
export function createFreeSwitchHttpCache(client: Client) {
  const kept = new Map<string, Kept>();
  const requests: string[] = [];
  return {
    requests,
    async play(path: string, now: number, extension: string): Promise<Playing> {
      const url = client.base + path;
      const known = kept.get(url);
      if (known !== undefined && now < known.until) return { complaints: [], sound: known.sound };
      requests.push('GET');
      const reply = await client.ask('GET', path, { 'User-Agent': 'freeswitch-http-cache/1.0' });
      const complaints: string[] = [];
      if (reply.status !== 200) complaints.push(`playback fails with ${reply.status}`);
      if (reply.body.byteLength === 0) complaints.push('an empty file is kept as the sound');
      const seen = extensionOf(url);
      if (seen !== extension) complaints.push(`the extension is taken to be ${seen}`);
      if (complaints.length > 0) return { complaints, sound: undefined };
      const seconds = /max-age=(\d+)/.exec(reply.headers['cache-control'] ?? '')?.[1];
      kept.set(url, { sound: reply.body, etag: undefined, until: now + Number(seconds ?? 86_400) });
      return { complaints, sound: reply.body };
    },
  };
}

/** mod_httapi, which jambonz plays by: HEAD before GET, and the two must agree. */
export async function playByHttapi(client: Client, path: string, extension: string): Promise<Playing> {
  const url = client.base + path;
  const complaints: string[] = [];
  if (url.includes('@')) complaints.push('what is before the @ is taken for credentials');
  if (extensionOf(url) !== extension) complaints.push(`the extension is taken to be ${extensionOf(url)}`);
  const head = await client.ask('HEAD', path);
  if (head.status !== 200) {
    return { complaints: [...complaints, `HEAD says ${head.status}: unreachable`], sound: undefined };
  }
  const get = await client.ask('GET', path);
  if (get.status !== 200) complaints.push(`GET says ${get.status}`);
  for (const name of ['etag', 'last-modified', 'content-length', 'content-type', 'cache-control']) {
    if (head.headers[name] === undefined) complaints.push(`HEAD has no ${name}`);
    if (head.headers[name] !== get.headers[name]) complaints.push(`HEAD and GET differ in ${name}`);
  }
  const { headers } = get;
  const metadata = `${url}:${headers['last-modified']}:${headers.etag}:${headers['content-length']}:${extension}`;
  if (Buffer.byteLength(metadata) >= 1024)
    complaints.push('the line of metadata is cut, so nothing is ever cached');
  if (/no-cache|no-store/.test(headers['cache-control'] ?? '')) complaints.push('deleted after each playing');
  return { complaints, sound: get.body };
}

/** Scans back from the end for a dot, as far as a slash. */
function extensionOf(url: string): string | undefined {
  return /\.([^./]*)$/.exec(url)?.[1];
}

/** Twilio refuses by type (error 13420), and asks again with either validator. */
export async function playByTwilio(client: Client, path: string): Promise<Playing> {
  const get = await client.ask('GET', path, { 'User-Agent': 'TwilioProxy/1.1', Accept: 'audio/*' });
  const complaints: string[] = [...cloudComplaints(get)];
  const { etag = '', 'last-modified': lastModified = '' } = get.headers;
  for (const [name, value] of [
    ['If-None-Match', etag],
    ['If-Modified-Since', lastModified],
  ] as const) {
    const again = await client.ask('GET', path, { [name]: value });
    if (again.status !== 304) complaints.push(`${name} is answered with ${again.status}`);
    if (again.headers.etag !== etag) complaints.push(`${name}: another ETag`);
    if (again.headers['cache-control'] !== get.headers['cache-control']) {
      complaints.push(`${name}: another Cache-Control`);
    }
  }
  return { complaints, sound: get.body };
}

/** Plivo, Vonage, Bandwidth and Sinch: general HTTP caches of which some take no redirect and no encoding. */
export async function playByCloud(client: Client, path: string): Promise<Playing> {
  const reply = await client.ask('GET', path, { 'Accept-Encoding': 'gzip, deflate, br', Accept: '*/*' });
  return { complaints: cloudComplaints(reply), sound: reply.body };
}

function cloudComplaints(reply: Reply): Complaints {
  const { headers } = reply;
  const complaints: string[] = [];
  if (reply.status >= 300 && reply.status < 400) complaints.push('redirects are not followed');
  if (reply.status !== 200) complaints.push(`playback fails with ${reply.status}`);
  if (!/^audio\/[a-z0-9-]+$/.test(headers['content-type'] ?? '')) {
    complaints.push(`${headers['content-type']} is no audio`);
  }
  if (lifetimeOf(reply) === undefined) complaints.push('without max-age nothing is cached');
  if (/no-store|no-cache|private/.test(headers['cache-control'] ?? ''))
    complaints.push('it must not be cached');
  if (headers.etag === undefined) complaints.push('no ETag');
  if (headers['last-modified'] === undefined) complaints.push('no Last-Modified');
  if (headers['content-encoding'] !== undefined) complaints.push('the sound is compressed');
  if (headers['transfer-encoding'] !== undefined) complaints.push('the length is unknown');
  if (headers['set-cookie'] !== undefined || headers['vary'] !== undefined) complaints.push('it varies');
  if (headers['content-length'] !== String(reply.body.byteLength)) complaints.push('another length was said');
  return complaints;
}

/** WebKit's media loader: two bytes to learn whether ranges work, then the file in ranges. */
export async function playBySafari(client: Client, path: string): Promise<Playing> {
  const probe = await client.ask('GET', path, { Range: 'bytes=0-1', 'Accept-Encoding': 'identity' });
  const [, size] = /^bytes 0-1\/(\d+)$/.exec(probe.headers['content-range'] ?? '') ?? [];
  if (probe.status !== 206 || size === undefined || probe.body.byteLength !== 2) {
    return {
      complaints: [`no two bytes but ${probe.status}, ${probe.body.byteLength} bytes`],
      sound: undefined,
    };
  }
  const complaints: string[] = [];
  const half = Math.floor(Number(size) / 2);
  const whole = await client.ask('GET', path, { Range: `bytes=0-${Number(size) - 1}` });
  const rest = await client.ask('GET', path, {
    Range: `bytes=${half}-${Number(size) - 1}`,
    'If-Range': probe.headers.etag ?? '',
  });
  for (const reply of [whole, rest]) {
    if (reply.status !== 206) complaints.push(`a range is answered with ${reply.status}`);
    if (reply.headers['content-type'] !== probe.headers['content-type']) complaints.push('the type changes');
    if (reply.headers['content-length'] !== String(reply.body.byteLength))
      complaints.push('another length was said');
  }
  if (!whole.body.subarray(half).equals(rest.body)) complaints.push('the second half differs');
  return { complaints, sound: whole.body };
}

function lineComplaints(reply: Reply): string[] {
  return reply.lines
    .filter((line) => Buffer.byteLength(line) > MAX_LINE)
    .map((line) => `the transfer is cut for a line of ${line.length} characters`);
}

/** The condition is made in a buffer of 256 bytes. */
function etagComplaints({ headers: { etag = '' } }: Reply): string[] {
  if (etag === '') return ['without an ETag every check is a download'];
  return Buffer.byteLength(etag) < 240 ? [] : ['the ETag is cut'];
}

function freshnessComplaints(reply: Reply): string[] {
  const value = reply.headers['cache-control'] ?? '';
  return [
    ...(lifetimeOf(reply) === undefined ? ['it expires at once'] : []),
    ...(/no-cache|must-revalidate/.test(value) ? ['it is checked at every playback'] : []),
  ];
}

/** Seconds; what is meant for shared caches goes first. */
function lifetimeOf({ headers }: Reply): number | undefined {
  const value = headers['cache-control'] ?? '';
  const seconds = (/s-maxage=(\d+)/.exec(value) ?? /max-age=(\d+)/.exec(value))?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}
