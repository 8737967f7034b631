/**
 * Uploads one file again and again and reports as JSON on stdout. A process of its own, so that its CPU time is
 * not the server's and its event loop not the bench's. Argument: a Load as JSON.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import process from 'node:process';

export interface Load {
  readonly url: string;
  /** `form`: multipart with four text fields behind a name that is new each time; `put`: the bare file. */
  readonly how: 'form' | 'put';
  readonly file: string;
  readonly token?: string;
  readonly connections: number;
  readonly count: number;
}

export interface LoadReport {
  readonly seconds: number;
  /** Of each request, ms, in rising order. */
  readonly latencies: readonly number[];
  /** What the answers named, to be removed afterwards. */
  readonly ids: readonly number[];
}

const load = JSON.parse(process.argv[2] ?? '{}') as Load;
const file = readFileSync(load.file);
const boundary = 'a-boundary-that-is-not-in-the-file';
const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
const run = `${process.pid}-${Date.now()}`;
const latencies: number[] = [];
const ids: number[] = [];
let next = 0;

const started = performance.now();
await Promise.all(Array.from({ length: load.connections }, uploadInTurn));
const seconds = (performance.now() - started) / 1000;
agent.destroy();
const report: LoadReport = { seconds, latencies: latencies.sort((a, b) => a - b), ids };
process.stdout.write(JSON.stringify(report));

async function uploadInTurn(): Promise<void> {
  while (next < load.count) {
    next += 1;
    const began = performance.now();
    const answer = await upload(`${run}-${next}`);
    latencies.push(performance.now() - began);
    const { data } = (answer === '' ? {} : JSON.parse(answer)) as { data?: { media_prompt_id?: number } };
    if (data?.media_prompt_id !== undefined) ids.push(data.media_prompt_id);
  }
}

function upload(name: string): Promise<string> {
  const [head, tail] = load.how === 'form' ? formAround(name) : [Buffer.alloc(0), Buffer.alloc(0)];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const outgoing = request(load.how === 'put' ? `${load.url}/${name}.wav` : load.url, {
    agent,
    method: load.how === 'put' ? 'PUT' : 'POST',
    headers: {
      'content-length': head.byteLength + file.byteLength + tail.byteLength,
      ...(load.how === 'form' && { 'content-type': `multipart/form-data; boundary=${boundary}` }),
      ...(load.token !== undefined && { authorization: `Bearer ${load.token}` }),
    },
  });
  outgoing.on('error', reject);
  outgoing.on('response', (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    answer.on('end', () => {
      if (answer.statusCode === 201) resolve(load.how === 'put' ? '' : text);
      else reject(new Error(`${answer.statusCode} ${text}`));
    });
  });
  if (head.byteLength > 0) outgoing.write(head);
  if (tail.byteLength > 0) outgoing.write(file);
  outgoing.end(tail.byteLength > 0 ? tail : file);
  return promise;
}

/** What stands before and behind the file; fields come first, as simple servers need them. */
function formAround(name: string): readonly [Buffer, Buffer] {
  const fields = { name, message_type: 'prompt', org_unit_id: '1', recording_created_by: '7' };
  const parts = Object.entries(fields).map(
    ([field, value]) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`,
  );
  const head = `${parts.join('')}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n`;
  return [Buffer.from(head), Buffer.from(`\r\n--${boundary}--\r\n`)];
}
