import { createHmac } from 'node:crypto';

type Signer = (input: string) => Uint8Array | string;

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

const hmac =
  (secret: string | Uint8Array, hash = 'sha256'): Signer =>
  (input) =>
    createHmac(hash, secret).update(input).digest();

/** A token of any two segments of text, signed by whatever `sign` makes of them. */
function seal(head: string, payload: string, sign: Signer): string {
  return `${head}.${payload}.${Buffer.from(sign(`${head}.${payload}`)).toString('base64url')}`;
}

/**
 * Authorization headers that must not open the door to a service whose secret is `secret`, each under what it
 * tries. `good` is one that does.
 */
export function hostileAuthorizations(secret: string): {
  readonly good: string;
  readonly hostile: ReadonlyMap<string, string>;
} {
  const claims = { sub: '7', org_unit_id: 1, role: 'admin', exp: inSeconds(3600) };
  const right = hmac(secret);
  const of = (header: unknown, payload: unknown = claims, sign = right) =>
    `Bearer ${seal(encode(header), encode(payload), sign)}`;
  const HS256 = { alg: 'HS256', typ: 'JWT' };
  const good = of(HS256);
  const token = good.slice('Bearer '.length);
  const [head = '', payload = '', signature = ''] = token.split('.');
  const hostile = new Map<string, string>();
  const add = (what: string, authorization: string) => void hostile.set(what, authorization);

  for (const alg of ALGORITHMS) {
    add(`alg ${JSON.stringify(alg)}, signed as HS256`, of({ typ: 'JWT', alg }));
    add(
      `alg ${JSON.stringify(alg)}, not signed`,
      of({ typ: 'JWT', alg }, claims, () => ''),
    );
  }
  for (const [alg, hash] of [
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
  ] as const) {
    add(`a true ${alg}`, of({ alg }, claims, hmac(secret, hash)));
    add(`HS256 over ${hash}`, of(HS256, claims, hmac(secret, hash)));
  }
  for (const [what, wrong] of [
    ['no secret', ''],
    ['NUL', '\0'],
    ['the word secret', 'secret'],
    ['half of the secret', secret.slice(0, secret.length / 2)],
    ['the secret and a line', `${secret}\n`],
    ['the secret in capitals', secret.toUpperCase()],
    ['the secret, trimmed of its end', secret.slice(0, -1)],
    ['the secret in base64', Buffer.from(secret).toString('base64')],
    ['the head', head],
  ] as const) {
    add(`signed with ${what}`, of(HS256, claims, hmac(wrong)));
  }
  for (const [what, extra] of HEADER_TRICKS) add(`header with ${what}`, of({ ...HS256, ...extra }));
  for (const header of [[], 'HS256', 1, null, true, {}, [HS256]]) {
    add(`a header that is ${JSON.stringify(header)}`, of(header));
  }
  for (const body of [[], [claims], 'admin', 1, null, true, {}]) {
    add(`a payload that is ${JSON.stringify(body).slice(0, 20)}`, of(HS256, body));
  }
  for (const [claim, values] of Object.entries(CLAIM_TRICKS)) {
    for (const value of values) {
      add(`${claim} is ${JSON.stringify(value)}`, of(HS256, { ...claims, [claim]: value }));
    }
    add(`${claim} is absent`, of(HS256, { ...claims, [claim]: undefined }));
  }
  add('expired a second ago', of(HS256, { ...claims, exp: inSeconds(-1) }));
  add('expired in 1970', of(HS256, { ...claims, exp: 0 }));
  add('valid in an hour', of(HS256, { ...claims, nbf: inSeconds(3600) }));
  add('nbf is text', of(HS256, { ...claims, nbf: 'now' }));
  for (const [what, text] of PAYLOAD_TEXTS) {
    add(what, `Bearer ${seal(head, Buffer.from(text(claims)).toString('base64url'), right)}`);
  }
  for (const [what, text] of HEADER_TEXTS) {
    add(what, `Bearer ${seal(Buffer.from(text).toString('base64url'), payload, right)}`);
  }
  for (const [what, make] of SIGNATURES) add(what, `Bearer ${head}.${payload}.${make(signature)}`);
  for (const [what, make] of STRUCTURES) add(what, make({ head, payload, signature, token }));
  for (let bit = 0; bit < 32; bit += 1) {
    const bytes = Buffer.from(signature, 'base64url');
    bytes[bit] = (bytes[bit] ?? 0) ^ (1 << (bit % 8));
    add(
      `bit ${bit * 8 + (bit % 8)} of the signature`,
      `Bearer ${head}.${payload}.${bytes.toString('base64url')}`,
    );
  }
  return { good, hostile };
}

const ALGORITHMS: readonly unknown[] = [
  'none',
  'None',
  'NONE',
  'nOnE',
  'none ',
  '',
  ' ',
  'hs256',
  'Hs256',
  'HS256 ',
  ' HS256',
  'HS256\0',
  'HS255',
  'HS1',
  'RS256',
  'RS512',
  'PS256',
  'ES256',
  'EdDSA',
  'dir',
  'A256KW',
  'RSA-OAEP',
  'toString',
  '__proto__',
  'constructor',
  null,
  0,
  1,
  true,
  ['HS256'],
  ['none'],
  { alg: 'HS256' },
];

const HEADER_TRICKS: readonly (readonly [string, object])[] = [
  ['an unknown crit', { crit: ['x'], x: 1 }],
  ['a crit of b64', { crit: ['b64'], b64: false }],
  ['a crit of exp', { crit: ['exp'], exp: 1 }],
];

/** A missing `sub` or `role` is no fault, so those are not here. */
const CLAIM_TRICKS: Readonly<Record<string, readonly unknown[]>> = {
  org_unit_id: ['1', '1 or 1=1', 0, -1, 1.5, 1e300, 2 ** 53, null, true, [1], { $gt: 0 }, '', ' '],
  exp: ['never', '9999999999', null, true, [9_999_999_999], {}, -1, '', '1e99'],
};

type Claims = Readonly<Record<string, unknown>>;

const PAYLOAD_TEXTS: readonly (readonly [string, (claims: Claims) => string])[] = [
  ['a payload that is cut off', (claims) => JSON.stringify(claims).slice(0, -1)],
  ['a payload with a tail', (claims) => `${JSON.stringify(claims)}x`],
  ['a payload of nothing', () => ''],
  ['a payload that is no JSON', () => 'admin'],
  ['a payload with NUL', () => '\0'],
  ['a payload of brackets', () => '['.repeat(3000)],
  ['a payload that is no UTF-8', () => '\ufffd\ufffd'],
  ['an exp past every number', (claims) => JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999')],
  ['an exp that is NaN', (claims) => JSON.stringify(claims).replace(/"exp":\d+/, '"exp":NaN')],
  ['claims in __proto__', (claims) => `{"__proto__":${JSON.stringify(claims)}}`],
  ['claims in constructor', (claims) => `{"constructor":{"prototype":${JSON.stringify(claims)}}}`],
  ['an exp given twice, the last one over', (claims) => JSON.stringify(claims).replace('}', ',"exp":1}')],
];

const HEADER_TEXTS: readonly (readonly [string, string])[] = [
  ['a header that is cut off', '{"alg":"HS256"'],
  ['a header of nothing', ''],
  ['a header that is no JSON', 'HS256'],
  ['a header of brackets', '['.repeat(3000)],
  ['a header with its alg twice', '{"alg":"HS256","alg":"none"}'],
  ['a header with its alg in __proto__', '{"__proto__":{"alg":"HS256"}}'],
];

const SIGNATURES: readonly (readonly [string, (signature: string) => string])[] = [
  ['no signature', () => ''],
  ['a signature of one letter', () => 'A'],
  ['a signature cut short', (signature) => signature.slice(0, -4)],
  ['a signature that is longer', (signature) => `${signature}AAAA`],
  ['a signature twice', (signature) => signature + signature],
  ['a signature turned round', (signature) => [...signature].reverse().join('')],
  ['a signature of zeros', () => Buffer.alloc(32).toString('base64url')],
  ['a signature of 7000 letters', () => 'A'.repeat(7000)],
  ['a signature of dashes', () => '-'.repeat(43)],
  ['a signature that is the word none', () => 'none'],
];

interface Pieces {
  readonly head: string;
  readonly payload: string;
  readonly signature: string;
  readonly token: string;
}

const STRUCTURES: readonly (readonly [string, (pieces: Pieces) => string])[] = [
  ['nothing', () => ''],
  ['the scheme alone', () => 'Bearer'],
  ['the scheme and spaces', () => 'Bearer    '],
  ['no scheme', ({ token }) => token],
  ['another scheme', ({ token }) => `Basic ${token}`],
  ['a scheme that begins alike', ({ token }) => `BearerX ${token}`],
  ['a scheme without its space', ({ token }) => `Bearer${token}`],
  ['a tab for the space', ({ token }) => `Bearer\t${token}`],
  ['a colon', ({ token }) => `Bearer: ${token}`],
  ['quotes', ({ token }) => `Bearer "${token}"`],
  ['two tokens', ({ token }) => `Bearer ${token} ${token}`],
  ['two tokens and a comma', ({ token }) => `Bearer ${token}, Bearer ${token}`],
  ['a token and a parameter', ({ token }) => `Bearer ${token};a=b`],
  ['the scheme twice', ({ token }) => `Bearer Bearer ${token}`],
  ['a dot', () => 'Bearer .'],
  ['two dots', () => 'Bearer ..'],
  ['a hundred dots', () => `Bearer ${'.'.repeat(100)}`],
  ['one segment', ({ head }) => `Bearer ${head}`],
  ['two segments', ({ head, payload }) => `Bearer ${head}.${payload}`],
  ['four segments', ({ token }) => `Bearer ${token}.x`],
  ['five segments', ({ token }) => `Bearer ${token}.x.y`],
  ['an empty head', ({ payload, signature }) => `Bearer .${payload}.${signature}`],
  ['an empty payload', ({ head, signature }) => `Bearer ${head}..${signature}`],
  ['its pieces in another order', ({ head, payload, signature }) => `Bearer ${payload}.${head}.${signature}`],
  ['a dot in front', ({ token }) => `Bearer .${token}`],
  ['a byte that is no base64', ({ token }) => `Bearer ${token.replace('.', '!.')}`],
  ['a percent', ({ token }) => `Bearer ${token.replaceAll('.', '%2e')}`],
  ['a token of 8193 characters', ({ token }) => `Bearer ${token.padEnd(8193, 'A')}`],
  ['a token of 15 kB', ({ head }) => `Bearer ${head}.${'A'.repeat(15_000)}.A`],
  ['8000 equals signs', ({ token }) => `Bearer ${token}${'='.repeat(7000)}`],
  ['SQL', () => "Bearer ' or 1=1 --"],
  ['a path', () => 'Bearer ../../etc/passwd'],
  ['null', () => 'Bearer null'],
  ['undefined', () => 'Bearer undefined'],
  ['[object Object]', () => 'Bearer [object Object]'],
];
