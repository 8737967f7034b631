import { expire, session } from './session.ts';
import { words } from './words.ts';

export const MESSAGE_TYPES = ['prompt', 'whisper', 'voicemail', 'survey'] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** Of a prompt, what the page shows. */
export interface Prompt {
  readonly media_prompt_id: number;
  readonly url: string;
  readonly name: string;
  readonly message_type: MessageType;
  readonly org_unit_id: number;
  readonly recording_created_by: number | null;
  readonly original_filename: string | null;
  readonly file_size: number;
  readonly sha256: string;
  readonly container: string;
  readonly codec: string;
  readonly sample_rate: number | null;
  readonly channels: number | null;
  readonly duration_ms: number | null;
  readonly description: string | null;
  readonly created_on: string;
}

export interface Page {
  readonly media_prompts: readonly Prompt[];
  readonly total: number;
  readonly next_cursor: string | null;
}

export interface Rendition {
  readonly rendition: string;
  readonly state: 'ready' | 'pending' | 'failed' | 'unavailable';
  readonly url: string;
  readonly reason: string | null;
}

export interface Report {
  readonly loudness_lufs: number | null;
  readonly true_peak_dbtp: number | null;
  readonly leading_silence_ms: number | null;
  readonly trailing_silence_ms: number | null;
  readonly warnings: readonly Warning[];
}

export interface Warning {
  readonly code: string;
  readonly message: string;
}

export interface PromptWithAudio extends Prompt {
  readonly renditions: readonly Rendition[];
  readonly audio_report: Report | null;
}

export interface Waveform {
  readonly duration_ms: number;
  readonly peaks: readonly (readonly [number, number])[];
}

export interface Playback {
  readonly url: string;
  readonly rendition: string;
  readonly cache_seconds: number | null;
  readonly warnings: readonly Warning[];
}

export interface Capabilities {
  readonly converter: 'ffmpeg' | 'wasm' | 'none';
  readonly limits: { readonly max_upload_bytes: number; readonly max_name_length: number };
}

export interface OrgUnit {
  readonly org_unit_id: number;
  readonly name: string;
  /** Names from the unit of the token down to this one. */
  readonly path: readonly string[];
}

export interface FieldFault {
  readonly field: string;
  readonly code: string;
  readonly message: string;
}

export interface Envelope<T> {
  readonly message: string;
  readonly data: T;
  readonly errors?: readonly FieldFault[];
}

/** The service said no; its message is one for people. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly faults: readonly FieldFault[];
  /** What it asks to be waited, ms. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, body: unknown, retryAfter: string | null) {
    const { message, errors } = isEnvelope(body) ? body : {};
    super(message ?? words.trouble.unknown(status));
    this.status = status;
    this.faults = errors ?? [];
    this.retryAfterMs = retryAfter === null ? undefined : Number(retryAfter) * 1000;
  }

  /** Nothing is wrong with the request: the same one may be answered later. */
  get isPassing(): boolean {
    return this.status === 429 || this.status === 503;
  }
}

/** Nobody answered. */
export class ServiceAway extends Error {
  override readonly name = 'ServiceAway';

  constructor(cause?: unknown) {
    super(words.trouble.away, { cause });
  }
}

/**
 * Asks the API and resolves with the `data` of its answer. A token that is refused is told to the session.
 *
 * @throws Refusal, ServiceAway, and what the signal was aborted with
 */
export async function ask<T>(
  path: string,
  {
    method = 'GET',
    signal,
    token = session.value?.token,
  }: { method?: string; signal?: AbortSignal; token?: string | undefined } = {},
): Promise<T> {
  const body = await answerOf(`/v3${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    if (error instanceof Refusal && error.status === 401 && token !== undefined) expire(token);
    throw error;
  });
  return (body as Envelope<T>).data;
}

/** The token that the one-time code of a link stands for. @throws Refusal, ServiceAway */
export async function exchange(code: string): Promise<string> {
  const body = await answerOf('/console/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  });
  return (body as Envelope<{ token: string }>).data.token;
}

async function answerOf(url: string, request: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, request);
  } catch (cause) {
    if (request.signal?.aborted) throw cause;
    throw new ServiceAway(cause);
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && isEnvelope(body)) return body;
  throw new Refusal(response.status, body, response.headers.get('retry-after'));
}

function isEnvelope(body: unknown): body is Envelope<unknown> {
  return typeof body === 'object' && body !== null && 'message' in body;
}
