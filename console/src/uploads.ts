import { computed, effect, type Signal, signal } from '@preact/signals';
import { type Envelope, type FieldFault, type MessageType, type Prompt, Refusal } from './api.ts';
import { capabilities } from './capabilities.ts';
import { asBytes } from './format.ts';
import { tell } from './notices.ts';
import { reload } from './prompts.ts';
import { type Sending, send } from './sending.ts';
import { expire, isExpired, session } from './session.ts';
import { words } from './words.ts';

/** Files that are sent at the same time. */
export const AT_ONCE = 3;

export type State = 'ready' | 'waiting' | 'sending' | 'done' | 'failed' | 'cancelled';

/** A file on its way to be a prompt. */
export interface Upload {
  readonly key: number;
  readonly file: File;
  readonly name: string;
  readonly type: MessageType;
  /** An ID; empty: the unit of the token. */
  readonly unit: string;
  readonly state: State;
  readonly sentBytes: number;
  /** Of all that is sent, the fields included. */
  readonly allBytes: number;
  readonly bytesPerSecond: number;
  /** What the service found wrong, field by field, and in a sentence where no field is to blame. */
  readonly faults: readonly FieldFault[];
  readonly message: string;
  /** Of the prompt that came of it. */
  readonly promptId: number | null;
}

/** In the order in which they were added. Each has a signal of its own: progress redraws one line. */
export const uploads = signal<readonly Signal<Upload>[]>([]);
export const newType = signal<MessageType>('prompt');
export const newUnit = signal('');

const count = (...states: readonly State[]) =>
  computed(() => uploads.value.filter(({ value }) => states.includes(value.state)).length);
export const running = count('waiting', 'sending');
export const startable = count('ready');
export const failed = count('failed', 'cancelled');
export const finished = count('done');

const sendings = new Map<number, Sending>();
let lastKey = 0;

export function addFiles(files: readonly File[]): void {
  const added = files.map((file) => {
    lastKey += 1;
    return signal<Upload>({
      key: lastKey,
      file,
      name: nameOf(file),
      type: newType.peek(),
      unit: newUnit.peek(),
      state: 'ready',
      sentBytes: 0,
      allBytes: file.size,
      bytesPerSecond: 0,
      faults: faultsOf(file),
      message: '',
      promptId: null,
    });
  });
  uploads.value = [...uploads.value, ...added];
}

/** Without its extension. */
const nameOf = ({ name }: File) => name.replace(/\.[^.]{1,5}$/, '').trim();

/** What can be said without asking; the service has the last word. */
function faultsOf({ size }: File): readonly FieldFault[] {
  const most = capabilities.peek()?.limits.max_upload_bytes ?? Number.POSITIVE_INFINITY;
  if (size === 0) return [{ field: 'file', code: 'file_empty', message: words.upload.isEmpty }];
  if (size <= most) return [];
  return [{ field: 'file', code: 'file_too_large', message: words.upload.tooLarge(asBytes(most)) }];
}

export function edit(upload: Signal<Upload>, change: Partial<Pick<Upload, 'name' | 'type' | 'unit'>>): void {
  const named: Readonly<Record<string, string>> = { name: 'name', type: 'message_type', unit: 'org_unit_id' };
  const changed = Object.keys(change).map((member) => named[member]);
  const faults = upload.value.faults.filter(({ field }) => !changed.includes(field));
  upload.value = { ...upload.value, ...change, faults };
}

/** Queues these, but for those that cannot succeed as they are. */
export function start(chosen: readonly Signal<Upload>[]): void {
  for (const upload of chosen) {
    const { name, file } = upload.value;
    const faults = [
      ...faultsOf(file),
      ...(name.trim() === '' ? [{ field: 'name', code: 'required', message: words.upload.nameless }] : []),
    ];
    upload.value =
      faults.length > 0
        ? { ...upload.value, state: 'failed', faults, message: '' }
        : { ...upload.value, state: 'waiting', faults: [], message: '', sentBytes: 0, bytesPerSecond: 0 };
  }
  work();
}

export const startAll = (): void => start(uploads.value.filter(({ value }) => value.state === 'ready'));
export const retryAll = (): void =>
  start(uploads.value.filter(({ value }) => value.state === 'failed' || value.state === 'cancelled'));

export function cancel(upload: Signal<Upload>): void {
  sendings.get(upload.value.key)?.abort();
  upload.value = { ...upload.value, state: 'cancelled' };
  work();
}

export function drop(upload: Signal<Upload>): void {
  uploads.value = uploads.value.filter((each) => each !== upload);
}

export function clearFinished(): void {
  uploads.value = uploads.value.filter(({ value }) => value.state !== 'done');
}

/** Whoever signs out takes back what is not sent yet. */
export function forgetUploads(): void {
  for (const sending of sendings.values()) sending.abort();
  uploads.value = [];
}

function work(): void {
  if (session.value === null || isExpired.value) return;
  for (const upload of uploads.value) {
    if (sendings.size >= AT_ONCE) return;
    if (upload.value.state === 'waiting') void run(upload, session.value.token);
  }
}

async function run(upload: Signal<Upload>, token: string): Promise<void> {
  const { key, file, name, type, unit } = upload.value;
  const set = (change: Partial<Upload>) => {
    upload.value = { ...upload.value, ...change };
  };
  // The service refuses a name that is taken before it reads the file, when it knows the unit.
  const fields = {
    name,
    message_type: type,
    org_unit_id: unit || String(session.peek()?.orgUnitId ?? ''),
  };
  const sending = send({ file, fields, token, onProgress: set });
  sendings.set(key, sending);
  set({ state: 'sending' });
  const outcome = await sending.outcome;
  sendings.delete(key);
  if (outcome.kind === 'answered') settle(upload, token, outcome.status, outcome.body);
  else if (outcome.kind === 'cut') set({ state: 'failed', message: words.upload.cut });
  work();
  if (running.value === 0 && outcome.kind === 'answered') tell(words.upload.doneAll(finished.value));
}

function settle(upload: Signal<Upload>, token: string, status: number, body: unknown): void {
  const set = (change: Partial<Upload>) => {
    upload.value = { ...upload.value, ...change };
  };
  if (status === 201) {
    set({ state: 'done', promptId: (body as Envelope<Prompt>).data.media_prompt_id });
    reload();
    return;
  }
  if (status === 401) {
    // Nothing is wrong with the file: it waits for the next token.
    set({ state: 'waiting', sentBytes: 0, bytesPerSecond: 0 });
    expire(token);
    return;
  }
  const { faults, message } = new Refusal(status, body, null);
  set({ state: 'failed', faults, message: faults.length > 0 ? '' : message });
}

// What waited for a token goes on with the next one.
effect(() => {
  if (session.value !== null && !isExpired.value) work();
});

window.addEventListener('beforeunload', (event) => {
  if (running.value > 0) event.preventDefault();
});
