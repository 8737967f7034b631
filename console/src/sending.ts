/** How a request with a file ended. */
export type Outcome =
  | { readonly kind: 'answered'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'cut' }
  | { readonly kind: 'aborted' };

export interface Sending {
  readonly outcome: Promise<Outcome>;
  abort(): void;
}

export interface Progress {
  readonly sentBytes: number;
  readonly allBytes: number;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
}

interface Request {
  readonly file: File;
  readonly fields: Readonly<Record<string, string>>;
  readonly token: string;
  readonly onProgress: (progress: Progress) => void;
}

/** Over which the speed is taken, ms. */
const SPAN = 3_000;

/** Sends a file as a new prompt, the fields before it. By XMLHttpRequest, which alone tells how far it is. */
export function send({ file, fields, token, onProgress }: Request): Sending {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== '') form.append(name, value);
  form.append('file', file);
  const request = new XMLHttpRequest();
  const { promise: outcome, resolve } = Promise.withResolvers<Outcome>();
  const speed = speedometer();
  request.upload.addEventListener('progress', ({ loaded, total }) => {
    onProgress({ sentBytes: loaded, allBytes: total, bytesPerSecond: speed(loaded) });
  });
  request.addEventListener('load', () => {
    resolve({ kind: 'answered', status: request.status, body: jsonIn(request.responseText) });
  });
  request.addEventListener('error', () => resolve({ kind: 'cut' }));
  request.addEventListener('abort', () => resolve({ kind: 'aborted' }));
  request.open('POST', '/v3/media-prompts');
  request.setRequestHeader('authorization', `Bearer ${token}`);
  request.send(form);
  return { outcome, abort: () => request.abort() };
}

function speedometer(): (bytes: number) => number {
  let seen = [{ at: performance.now(), bytes: 0 }];
  return (bytes) => {
    const now = performance.now();
    seen = [...seen.filter(({ at }) => now - at < SPAN), { at: now, bytes }];
    const [first = { at: now, bytes }] = seen;
    return now > first.at ? ((bytes - first.bytes) / (now - first.at)) * 1000 : 0;
  };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
