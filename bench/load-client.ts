/**
 * Uploads one file again and again and reports as JSON on stdout. A process of its own, so that its CPU time is
 * not the server's and its event loop not the bench's. Argument: a Load as JSON.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import process from 'node:process';

export interface Load {
  readonly url: string;
  /**
   * `form`: multipart with four text fields behind a name that is new each time; `put`: the bare file; `tus`: the
   * file as the first and only piece of a resumable upload, in the request that makes it (creation-with-upload).
   */
  readonly how: 'form' | 'put' | 'tus';
  readonly file: string;
  /** Of the file, bytes. */
  readonly size: number;
  /** One is given to each connection in turn. */
  readonly tokens?: readonly string[];
  /** Into which of our org units; 1 by default. */
  readonly orgUnit?: number;
  readonly connections: number;
  readonly count: number;
}

export interface LoadReport {
  readonly seconds: number;
  /** That this client took over these seconds, also seconds. */
  readonly cpuSeconds: number;
  /** Of each request, ms, in rising order. */
  readonly latencies: readonly number[];
  /** What the answers named, to be removed afterwards. */
  readonly ids: readonly number[];
}

/** What an answer may say of the file, in the words of one server or another. */
interface Answer {
  readonly sha256?: string;
  readonly size?: number;
  readonly data?: { readonly media_prompt_id: number; readonly sha256: string; readonly file_size: number };
}

const load = JSON.parse(process.argv[2] ?? '{}') as Load;
const file = readFileSync(load.file);
const sha256 = createHash('sha256').update(file).digest('hex');
const boundary = 'a-boundary-that-is-not-in-the-file';
const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
const run = `${process.pid}-${Date.now()}`;
const latencies: number[] = [];
const ids: number[] = [];
let next = 0;

const started = performance.now();
const cpuBefore = process.cpuUsage();
await Promise.all(Array.from({ length: load.connections }, (_, connection) => uploadInTurn(connection)));
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const cpuSeconds = (user + system) / 1e6;
agent.destroy();
const report: LoadReport = { seconds, cpuSeconds, latencies: latencies.sort((a, b) => a - b), ids };
process.stdout.write(JSON.stringify(report));

async function uploadInTurn(connection: number): Promise<void> {
  const token = load.tokens?.[connection % load.tokens.length];
  while (next < load.count) {
    next += 1;
    const began = performance.now();
    const { answer, text } = await upload(`${run}-${next}`, token);
    latencies.push(performance.now() - began);
    check(answer, text);
  }
}

/** Only that the file came whole is said by 201; what more a server says has to be true. */
function check(answer: IncomingMessage, text: string): void {
  const said = (load.how === 'form' ? JSON.parse(text) : {}) as Answer;
  const { data } = said;
  const facts = {
    status: answer.statusCode,
    sha256: data?.sha256 ?? said.sha256 ?? (load.how === 'form' ? 'none' : sha256),
    size: data?.file_size ?? said.size ?? Number(answer.headers['upload-offset'] ?? load.size),
  };
  if (facts.status !== 201 || facts.sha256 !== sha256 || facts.size !== file.byteLength) {
    throw new Error(`${load.url} answered ${JSON.stringify(facts)} ${text.slice(0, 300)}`);
  }
  if (data !== undefined) ids.push(data.media_prompt_id);
}

function upload(
  name: string,
  token: string | undefined,
): Promise<{ readonly answer: IncomingMessage; readonly text: string }> {
  const [head, tail] = load.how === 'form' ? formAround(name) : [Buffer.alloc(0), Buffer.alloc(0)];
  const { promise, resolve, reject } = Promise.withResolvers<{ answer: IncomingMessage; text: string }>();
  const outgoing = request(load.how === 'put' ? `${load.url}/${name}.wav` : load.url, {
    agent,
    method: load.how === 'put' ? 'PUT' : 'POST',
    headers: {
      'content-length': head.byteLength + file.byteLength + tail.byteLength,
      ...(load.how === 'form' && { 'content-type': `multipart/form-data; boundary=${boundary}` }),
      ...(load.how === 'tus' && {
        'content-type': 'application/offset+octet-stream',
        'tus-resumable': '1.0.0',
        'upload-length': file.byteLength,
        'upload-metadata': `name ${Buffer.from(name).toString('base64')}`,
      }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
  });
  outgoing.on('error', reject);
  outgoing.on('response', (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    answer.on('error', reject).on('end', () => {
      if (answer.statusCode === 201) resolve({ answer, text });
      else reject(new Error(`${load.url} answered ${answer.statusCode} ${text}`));
    });
  });
  if (head.byteLength > 0) outgoing.write(head);
  if (tail.byteLength > 0) outgoing.write(file);
  outgoing.end(tail.byteLength > 0 ? tail : file);
  return promise;
}

/** What stands before and behind the file; fields come first, as simple servers need them. */
function formAround(name: string): readonly [Buffer, Buffer] {
  const unit = String(load.orgUnit ?? 1);
  const fields = { name, message_type: 'prompt', org_unit_id: unit, recording_created_by: '7' };
  const parts = Object.entries(fields).map(
    ([field, value]) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`,
  );
  const head = `${parts.join('')}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n`;
  return [Buffer.from(head), Buffer.from(`\r\n--${boundary}--\r\n`)];
}
