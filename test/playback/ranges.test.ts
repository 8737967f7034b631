import { describe, expect } from 'vitest';
import type { TestService } from '../support/service.ts';
import { noise } from '../support/wav.ts';
import { type Client, createClient, wire } from './http-client.ts';
import { expectAnswer } from './judging.ts';
import { addSound, addTone, EXTENSIONS, type Sound } from './recordings.ts';
import type { Expected } from './reference.ts';
import { test as base } from './small-memory.ts';

interface Rig {
  readonly client: Client;
  /** 1000 bytes each; one is read from the store, the other was asked for until it was in memory. */
  readonly cold: () => Promise<Sound>;
  readonly hot: Sound;
  /** Above what is kept in memory. */
  readonly large: Sound;
}

const SIZE = 1000;
const LARGE = 1_500_000;

const test = base.extend<{ rig: Rig }>({
  rig: [
    async ({ service }, use) => {
      const client = createClient(service.base);
      const hot = await addSound(service, 'Hot', noise(SIZE, 1), 'wav');
      await heat(service, client, hot);
      const large = await addSound(service, 'Large', noise(LARGE, 2), 'wav');
      let count = 0;
      const cold = () => {
        count += 1;
        return addSound(service, `Cold ${count}`, noise(SIZE, 100 + count), 'wav');
      };
      await use({ client, cold, hot, large });
      client.close();
    },
    { scope: 'file' },
  ],
});

/** Plays until an answer came from memory. */
async function heat(service: TestService, client: Client, { path }: Sound): Promise<void> {
  const { hits } = service.library.shelf();
  while (service.library.shelf().hits === hits) await client.ask('GET', path);
}

const WHOLE: Expected = { status: 200, stretches: [[0, SIZE - 1]] };
const NONE: Expected = { status: 416, stretches: undefined };
const parts = (...stretches: NonNullable<Expected['stretches']>): Expected => ({ status: 206, stretches });

const TABLE: readonly (readonly [header: string, expected: Expected])[] = [
  // One stretch.
  ['bytes=0-0', parts([0, 0])],
  ['bytes=0-1', parts([0, 1])],
  ['bytes=0-999', parts([0, 999])],
  ['bytes=0-', parts([0, 999])],
  ['bytes=500-', parts([500, 999])],
  ['bytes=999-', parts([999, 999])],
  ['bytes=999-999', parts([999, 999])],
  ['bytes=100-199', parts([100, 199])],
  ['bytes=0100-0199', parts([100, 199])],
  ['bytes=990-5000', parts([990, 999])],
  ['bytes=0-9999999999999999', parts([0, 999])],
  ['bytes=-1', parts([999, 999])],
  ['bytes=-500', parts([500, 999])],
  ['bytes=-1000', parts([0, 999])],
  ['bytes=-5000', parts([0, 999])],
  ['Bytes=0-1', parts([0, 1])],
  ['bytes= 0-1', parts([0, 1])],
  ['bytes=0-1,', parts([0, 1])],
  ['bytes=,0-1', parts([0, 1])],
  // Beyond the end.
  ['bytes=1000-', NONE],
  ['bytes=1000-1000', NONE],
  ['bytes=5000-6000', NONE],
  ['bytes=9999999999999999-', NONE],
  ['bytes=-0', NONE],
  ['bytes=1000-,-0', NONE],
  // What is malformed means nothing.
  ['bytes=', WHOLE],
  ['bytes=,', WHOLE],
  ['bytes=-', WHOLE],
  ['bytes=1', WHOLE],
  ['bytes=a-b', WHOLE],
  ['bytes=2-1', WHOLE],
  ['bytes=1000-999', WHOLE],
  ['bytes=--1', WHOLE],
  ['bytes=-1-', WHOLE],
  ['bytes=0-1-2', WHOLE],
  ['bytes=0x0-0x1', WHOLE],
  ['bytes=0 - 1', WHOLE],
  ['bytes=+0-1', WHOLE],
  ['bytes=0-1;', WHOLE],
  ['bytes=0-1,x', WHOLE],
  ['bytes=0-1,5-4', WHOLE],
  ['bytes 0-1', WHOLE],
  ['bytes 0-1/1000', WHOLE],
  ['bytes:0-1', WHOLE],
  ['seconds=0-1', WHOLE],
  ['0-1', WHOLE],
  ['', WHOLE],
  [`bytes=${'9'.repeat(400)}-`, WHOLE],
  // Several stretches.
  ['bytes=0-0,-1', parts([0, 0], [999, 999])],
  ['bytes=0-9, 20-29', parts([0, 9], [20, 29])],
  ['bytes=0-9,\t20-29', parts([0, 9], [20, 29])],
  ['bytes=20-29,0-9', parts([20, 29], [0, 9])],
  ['bytes=0-9,10-19', parts([0, 9], [10, 19])],
  ['bytes=0-9,,20-29', parts([0, 9], [20, 29])],
  ['bytes=0-9,2000-', parts([0, 9])],
  ['bytes=2000-3000,-10', parts([990, 999])],
  ['bytes=0-9,2000-,20-29', parts([0, 9], [20, 29])],
  [
    `bytes=${Array.from({ length: 10 }, (_, i) => `${i * 10}-${i * 10 + 4}`).join(',')}`,
    {
      status: 206,
      stretches: Array.from({ length: 10 }, (_, i) => [i * 10, i * 10 + 4]),
    },
  ],
  // Attacks: too many, or the same bytes again.
  [`bytes=${Array.from({ length: 11 }, (_, i) => `${i * 10}-${i * 10 + 4}`).join(',')}`, WHOLE],
  [`bytes=${'0-,'.repeat(1000)}0-`, WHOLE],
  ['bytes=0-9,9-19', WHOLE],
  ['bytes=0-,0-', WHOLE],
  ['bytes=0-500,-500', WHOLE],
  ['bytes=0-499,-500', parts([0, 499], [500, 999])],
  ['bytes=10-20,0-999', WHOLE],
];

describe('Range', () => {
  test.for(TABLE.map(([header, expected]) => ({ name: header.slice(0, 60), header, expected })))(
    '«$name» is answered with $expected.status, from the store and from memory, and means nothing to HEAD',
    async ({ header, expected }, { rig }) => {
      const { client, hot, cold } = rig;
      const fresh = await cold();
      for (const sound of [fresh, hot]) {
        expectAnswer(await client.ask('GET', sound.path, { Range: header }), 'GET', sound, expected);
        expectAnswer(await client.ask('HEAD', sound.path, { Range: header }), 'HEAD', sound, WHOLE);
      }
    },
  );

  test('of a recording too large for memory is answered from the store, the last of it and the first', async ({
    rig: { client, large },
  }) => {
    for (const [header, first, last] of [
      ['bytes=0-1', 0, 1],
      ['bytes=-1', LARGE - 1, LARGE - 1],
      ['bytes=65535-65536', 65_535, 65_536],
      ['bytes=262143-262145', 262_143, 262_145],
      ['bytes=327679-1376257', 327_679, 1_376_257],
      ['bytes=0-', 0, LARGE - 1],
    ] as const) {
      for (let again = 0; again < 3; again += 1) {
        expectAnswer(
          await client.ask('GET', large.path, { Range: header }),
          'GET',
          large,
          parts([first, last]),
        );
      }
    }
    const several = await client.ask('GET', large.path, { Range: 'bytes=1400000-,0-999999,1100000-1199999' });
    const expected = parts([1_400_000, LARGE - 1], [0, 999_999], [1_100_000, 1_199_999]);
    expectAnswer(several, 'GET', large, expected);
  });

  test('sent twice is one list, which is no range, so that nothing is guessed', async ({ service, rig }) => {
    const answer = await wire(service.base, [
      `GET ${rig.hot.path} HTTP/1.1`,
      'Range: bytes=0-1',
      'Range: bytes=5-6',
    ]);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test('a part says what the whole would, beside its own length and place', async ({
    rig: { client, hot },
  }) => {
    const whole = await client.ask('GET', hot.path);
    const part = await client.ask('GET', hot.path, { Range: 'bytes=10-19' });
    const { 'content-length': length, 'content-range': range, ...others } = part.headers;
    expect({ length, range }).toEqual({ length: '10', range: 'bytes 10-19/1000' });
    const { date, 'x-request-id': id, ...shared } = others;
    expect(whole.headers).toMatchObject(shared);
    expect([date, id]).not.toContain(undefined);
  });

  test('nobody gets a part who did not ask for one', async ({ service, rig }) => {
    const answer = await wire(service.base, [`GET ${rig.hot.path} HTTP/1.0`]);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer.toLowerCase()).not.toContain('content-range');
  });

  test.for(EXTENSIONS)('the parts of %s carry its type', async (extension, { service, rig: { client } }) => {
    const sound = await addTone(service, 'Parts', extension);
    const last = sound.bytes.byteLength - 1;
    const reply = await client.ask('GET', sound.path, { Range: 'bytes=0-99,200-299,-1' });
    expectAnswer(reply, 'GET', sound, parts([0, 99], [200, 299], [last, last]));
  });

  test('a boundary is another one in each answer and not in the sound', async ({ rig: { client, hot } }) => {
    const ask = () => client.ask('GET', hot.path, { Range: 'bytes=0-1,5-6' });
    const [one, other] = [await ask(), await ask()];
    expect(one.headers['content-type']).not.toBe(other.headers['content-type']);
  });
});
