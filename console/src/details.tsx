import { type Signal, signal, useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { go } from './address.ts';
import { ask, type PromptWithAudio, Refusal } from './api.ts';
import { isAway } from './prompts.ts';
import { learn } from './reports.ts';
import { isExpired } from './session.ts';
import { words } from './words.ts';

/** Between looks at a prompt of which something is still being made, ms, and how many. */
const PAUSE = 2_000;
const LOOKS = 60;

interface Found {
  readonly prompt?: PromptWithAudio;
  readonly fault?: string;
  readonly isGone?: boolean;
}

/** What is in the panel, half of the page by its size: the list is there without it. */
const body = signal<FunctionComponent<{ prompt: PromptWithAudio }> | null>(null);
const isUnloadable = signal(false);

/** Has the panel at hand before somebody opens one. */
export function bringDetails(): void {
  if (body.value !== null) return;
  import('./details-body.tsx').then(
    ({ Body }) => {
      body.value = Body;
    },
    () => {
      isUnloadable.value = true;
    },
  );
}

/** One prompt: to hear, to copy, to delete. */
export function Details({ id }: { id: number }) {
  const found = useSignal<Found>({});
  const panel = useRef<HTMLElement>(null);
  useLooks(id, found);
  const close = () => {
    go({ prompt: null });
    document.querySelector<HTMLElement>(`[data-prompt="${id}"]`)?.focus();
  };
  const { prompt, fault } = found.value;
  const { value: Body } = body;
  useEffect(bringDetails, []);
  useEffect(() => panel.current?.querySelector<HTMLElement>('h2')?.focus(), [prompt === undefined, Body]);
  return (
    <aside
      ref={panel}
      class="details"
      aria-label={words.details.label(prompt?.name ?? String(id))}
      onKeyDown={({ key, defaultPrevented }) => {
        if (key === 'Escape' && !defaultPrevented && document.querySelector('dialog[open]') === null) close();
      }}
    >
      <button type="button" class="close quiet" aria-label={words.details.close} onClick={close}>
        ✕
      </button>
      {fault !== undefined && <p class="banner is-fault">{fault}</p>}
      {prompt !== undefined && Body !== null && <Body prompt={prompt} />}
      {fault === undefined && (prompt === undefined || Body === null) && <Wait />}
    </aside>
  );
}

function Wait() {
  if (body.value !== null || !isUnloadable.value) return <p class="quiet-text">{words.loading}</p>;
  return (
    <p class="banner is-fault" role="alert">
      <span>{words.details.unloadable}</span>
      <button type="button" onClick={() => location.reload()}>
        {words.details.reload}
      </button>
    </p>
  );
}

/** Asks for a prompt, and again as long as its audio is being worked at, or the service is away. */
function useLooks(id: number, found: Signal<Found>): void {
  const isBlocked = isAway.value || isExpired.value;
  useEffect(() => {
    if (isBlocked) return undefined;
    const aborter = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let looks = 0;
    const look = async () => {
      looks += 1;
      const seen = await lookAt(id, aborter.signal);
      if (aborter.signal.aborted) return;
      // What was seen before stays, unless it is known to be gone.
      if (found.value.prompt === undefined || seen.prompt !== undefined || seen.isGone) found.value = seen;
      if (seen.prompt !== undefined && isBeingMade(seen.prompt) && looks < LOOKS) {
        timer = setTimeout(look, PAUSE);
      }
    };
    void look();
    return () => {
      aborter.abort();
      clearTimeout(timer);
    };
  }, [id, isBlocked]);
}

async function lookAt(id: number, signal: AbortSignal): Promise<Found> {
  try {
    const prompt = await ask<PromptWithAudio>(`/media-prompts/${id}`, { signal });
    learn(id, prompt.audio_report);
    return { prompt };
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) return { fault: words.details.gone, isGone: true };
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

const isBeingMade = ({ renditions, audio_report }: PromptWithAudio) =>
  renditions.some(({ state }) => state === 'pending') ||
  (audio_report === null && renditions.every(({ state }) => state === 'ready'));
