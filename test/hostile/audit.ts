import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { expect, vi } from 'vitest';
import { areDescriptorsKnown, openFiles } from '../support/descriptors.ts';
import { fixture, multipart, promptForm } from '../support/multipart.ts';
import { test as base, startService, type TestService, token } from '../support/service.ts';
import { judge, type Shape, shapeOf } from './judging.ts';
import { bytesOf, type Connection, open, type WireAnswer, type WireRequest } from './wire.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** Hostile inputs that a test sent; the run's last line adds them up. */
    hostileInputs?: number;
  }
}

/** What a service holds: rows, files, and what is not done with. */
interface Census {
  readonly prompts: number;
  readonly recordings: number;
  readonly blobs: number;
  readonly unkept: number;
  readonly published: number;
  readonly arriving: number;
}

// Thousands of inputs take their time where other work goes on beside them.
vi.setConfig({ testTimeout: 120_000 });

/** How many inputs are under way at once. */
const AT_ONCE = 6;
/** pino's number for errors: a fault that a client does not see stands in the log. */
const ERROR = 50;

/** Limits that thousands of inputs in a minute do not meet; they are there all the same. */
export const MANY_REQUESTS = {
  RATE_LIMIT_PER_MINUTE: '1000000',
  RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '1000000',
} as const;

export const TONE = fixture('tone.wav');

/**
 * A group of hostile inputs. Whatever the test does with it, the fixture's end holds the service against the
 * promise: no fault in an answer or in the log, no answer slower than 10 s, no row and no file but those of the
 * uploads that were answered 201, no descriptor and no connection left open, and good uploads work.
 */
export type Group = ReturnType<typeof createGroup>;

function createGroup(service: TestService) {
  const bearer = token();
  let inputs = 0;
  let kept = 0;

  function note(request: Pick<WireRequest, 'method'>, { status }: WireAnswer): void {
    if (request.method === 'POST' && status === 201) kept += 1;
    if (request.method === 'DELETE' && (status === 200 || status === 204)) kept -= 1;
  }

  /** Keeps a connection for input after input; one that answers more than it was asked is found out. */
  function createLane() {
    let connection: Connection | undefined;
    const drop = () => {
      connection?.close();
      connection = undefined;
    };
    /** Undefined when the connection closed without an answer. */
    async function tryOn(used: Connection, bytes: Uint8Array, method: string) {
      used.send(bytes);
      const answer = await used.answer(method);
      if (answer !== undefined) expect(used.leftover().toString(), 'more than one answer').toBe('');
      if (answer === undefined || answer.headers['connection'] === 'close' || !used.isOpen()) drop();
      return answer;
    }
    return {
      async ask(bytes: Uint8Array, method: string): Promise<WireAnswer> {
        // A connection that was kept may have been closed meanwhile; a new one has to answer.
        const kept = connection === undefined ? undefined : await tryOn(connection, bytes, method);
        if (kept !== undefined) return kept;
        connection = await open(service.base);
        const answer = await tryOn(connection, bytes, method);
        if (answer === undefined) throw new Error('the connection closed without an answer');
        return answer;
      },
      close: drop,
    };
  }

  /** Sends each input, several at once, on connections that are kept; names the input that fails. */
  async function each<Input>(
    given: Iterable<Input>,
    work: (input: Input, ask: Ask) => Promise<void>,
  ): Promise<void> {
    const queue = [...given][Symbol.iterator]();
    // All lanes come to rest before a failure is told, so that the audit finds no upload under way.
    const faults: Error[] = [];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        const lane = createLane();
        const ask: Ask = (request, shape) => askOn(lane, request, shape);
        try {
          for (const input of queue) {
            if (faults.length > 0) return;
            await work(input, ask).catch((error: unknown) => {
              const message = `${nameOf(input)}: ${error instanceof Error ? error.message : error}`;
              faults.push(new Error(message, { cause: error }));
            });
          }
        } finally {
          lane.close();
        }
      }),
    );
    if (faults[0] !== undefined) throw faults[0];
  }

  async function askOn(
    lane: ReturnType<typeof createLane>,
    request: WireRequest,
    shape: Shape = shapeOf(request.target),
  ): Promise<WireAnswer> {
    inputs += 1;
    const headers = { Authorization: `Bearer ${bearer}`, ...request.headers };
    const answer = await lane.ask(bytesOf({ ...request, headers }), request.method);
    note(request, answer);
    judge(answer, shape, request.method);
    return answer;
  }

  return {
    bearer,
    each,
    /** One request on a connection of its own. */
    async ask(request: WireRequest, shape?: Shape): Promise<WireAnswer> {
      const lane = createLane();
      try {
        return await askOn(lane, request, shape);
      } finally {
        lane.close();
      }
    },
    /** A connection for an input that is no plain request; what comes back is the caller's to `judge`. */
    async open(): Promise<Connection> {
      inputs += 1;
      return await open(service.base);
    },
    /** Tells of an upload or a delete that `ask` did not see. */
    note,
    count: () => ({ inputs, kept }),
  };
}

/** Sends a request with a token that may do everything, and judges the answer. */
export type Ask = (request: WireRequest, shape?: Shape) => Promise<WireAnswer>;

const nameOf = (input: unknown) =>
  (typeof input === 'string' ? JSON.stringify(input) : JSON.stringify(input, brief)).slice(0, 400);

const brief = (_key: string, value: unknown) =>
  typeof value === 'string' && value.length > 100 ? `${value.slice(0, 100)}…` : value;

async function censusOf(service: TestService): Promise<Census> {
  const [rows] = await service.rows<Omit<Census, 'published' | 'arriving'>>(
    `select (select count(*)::int from prompts) as prompts,
            (select count(*)::int from recordings) as recordings,
            (select count(*)::int from blobs) as blobs,
            (select count(*)::int from blobs where state <> 'kept') as unkept`,
  );
  if (rows === undefined) throw new Error('no census');
  const { published, arriving } = await service.files();
  return { ...rows, published: published.length, arriving: arriving.length };
}

const connectionsOf = (service: TestService) =>
  new Promise<number>((resolve, reject) => {
    service.service.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

/** Both dialects take a good upload, play it to the byte, and let it go again. */
async function proveHealth(group: Group): Promise<void> {
  const form = multipart(promptForm(`Good ${randomUUID()}`));
  const media = multipart([{ name: 'File', content: TONE, filename: 'good.wav', type: 'audio/wav' }]);
  for (const [target, { body, contentType }, idOf] of [
    ['/v3/media-prompts', form, (text: string) => JSON.parse(text).data.media_prompt_id],
    ['/api/v1/media', media, (text: string) => JSON.parse(text).id],
  ] as const) {
    const added = await group.ask({ method: 'POST', target, headers: { 'Content-Type': contentType }, body });
    expect(added.status, added.body.toString()).toBe(201);
    const id: unknown = idOf(added.body.toString());
    const url = `/uploads/call-flow-recordings/${/file-\d{13}-\d{39}\.wav/.exec(added.body.toString())?.[0]}`;
    const played = await group.ask({ method: 'GET', target: url });
    expect(played.body.equals(TONE)).toBe(true);
    expect((await group.ask({ method: 'DELETE', target: `${target}/${id}` })).status).toBeLessThan(300);
  }
}

interface Before extends Census {
  readonly connections: number;
}

async function audit(service: TestService, group: Group, { connections, ...before }: Before): Promise<void> {
  const { kept } = group.count();
  const expected: Census = {
    prompts: before.prompts + kept,
    recordings: before.recordings + kept,
    blobs: before.blobs + kept,
    unkept: 0,
    published: before.published + kept,
    arriving: 0,
  };
  await settled(() => censusOf(service), expected);
  if (areDescriptorsKnown) await settled(() => openFiles((path) => path.startsWith(service.dataDir)), []);
  // Those of the test's own HTTP client stay open; none that a group opened may.
  await settled(async () => (await connectionsOf(service)) <= connections, true);
  await proveHealth(group);
  await settled(() => censusOf(service), expected);
  const log = service.logLines.splice(0).map((line) => JSON.parse(line));
  const faults = log.flatMap(({ level, msg, err }) => (level >= ERROR ? [`${msg}: ${err?.stack}`] : []));
  // One that came a hundred times is told once.
  expect([...new Set(faults)]).toEqual([]);
}

/** Waits for what follows an answer, such as the clean-up after a client that went away. */
async function settled<T>(look: () => T | Promise<T>, expected: T): Promise<void> {
  await expect
    .poll(async () => isDeepStrictEqual(await look(), expected), { timeout: 10_000, interval: 20 })
    .toBe(true)
    .catch(async () => expect(await look()).toEqual(expected));
}

/** `service` is one for the file; `group` audits it behind every test. */
export const test = base.extend<{ service: TestService; group: Group }>({
  service: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService(MANY_REQUESTS);
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
  group: async ({ service, task }, use) => {
    const before = { ...(await censusOf(service)), connections: await connectionsOf(service) };
    const group = createGroup(service);
    await use(group);
    task.meta.hostileInputs = group.count().inputs;
    await audit(service, group, before);
  },
});
