import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { go } from './address.ts';
import { ask, type PromptWithAudio, Refusal, type Report } from './api.ts';
import { capabilities } from './capabilities.ts';
import { EnginePanel } from './engine-panel.tsx';
import { asBytes, asDuration, asFormat, asMoment, asTenths } from './format.ts';
import { copy } from './notices.ts';
import { Player } from './player.tsx';
import { isAway } from './prompts.ts';
import { RemoveDialog } from './remove-dialog.tsx';
import { learn } from './reports.ts';
import { isExpired, mayWrite } from './session.ts';
import { unitText } from './units.ts';
import { words } from './words.ts';

/** Between looks at a prompt of which something is still being made, ms, and how many. */
const PAUSE = 2_000;
const LOOKS = 60;

interface Found {
  readonly prompt?: PromptWithAudio;
  readonly fault?: string;
  readonly isGone?: boolean;
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
  useEffect(() => {
    if (prompt !== undefined) panel.current?.querySelector<HTMLElement>('h2')?.focus();
  }, [prompt === undefined]);
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
      {prompt === undefined && fault === undefined && <p class="quiet-text">{words.loading}</p>}
      {prompt !== undefined && <Body prompt={prompt} />}
    </aside>
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

function Body({ prompt }: { prompt: PromptWithAudio }) {
  const { details } = words;
  const isRemoving = useSignal(false);
  const address = new URL(prompt.url, location.href).href;
  return (
    <>
      <Player prompt={prompt}>
        <h2 tabIndex={-1}>{prompt.name}</h2>
        <p class="muted under-title">
          <span class={`chip is-${prompt.message_type}`}>{words.types[prompt.message_type]}</span>
          {asDuration(prompt.duration_ms)} · {asMoment(prompt.created_on)}
        </p>
      </Player>
      <Measured report={prompt.audio_report} />
      <div class="copies">
        <button type="button" onClick={() => copy(String(prompt.media_prompt_id), details.id)}>
          {details.copyId} <span class="muted">{prompt.media_prompt_id}</span>
        </button>
        <button type="button" onClick={() => copy(address, details.url)}>
          {details.copyUrl}
        </button>
      </div>
      <EnginePanel id={prompt.media_prompt_id} unavailable={unavailableOf(prompt)} />
      <Facts prompt={prompt} />
      {mayWrite() && (
        <p class="end">
          <button type="button" class="danger" onClick={() => (isRemoving.value = true)}>
            {details.delete}
          </button>
        </p>
      )}
      {isRemoving.value && <RemoveDialog prompt={prompt} onClose={() => (isRemoving.value = false)} />}
    </>
  );
}

/** Why this service makes no renditions, where it makes none. */
function unavailableOf({ renditions }: PromptWithAudio): string | null {
  const [first] = renditions;
  return first !== undefined && renditions.every(({ state }) => state === 'unavailable')
    ? (first.reason ?? words.player.noPhone(null))
    : null;
}

function Measured({ report }: { report: Report | null }) {
  const { details } = words;
  if (report === null) {
    const isNever = capabilities.value?.converter === 'none';
    return <p class="muted measured">{isNever ? details.notMeasured : details.measuring}</p>;
  }
  const { loudness_lufs: loudness, true_peak_dbtp: peak } = report;
  const silences = [report.leading_silence_ms, report.trailing_silence_ms].map(asDuration);
  return (
    <section class="measured" aria-label={details.sound}>
      <dl class="figures">
        <Fact name={details.loudness}>
          {loudness === null ? details.silent : details.lufs(asTenths(loudness))}
        </Fact>
        <Fact name={details.peak}>{peak === null ? details.silent : details.dbtp(asTenths(peak))}</Fact>
        <Fact name={details.silence}>{details.silences(silences[0] ?? '', silences[1] ?? '')}</Fact>
      </dl>
      {report.warnings.length > 0 && (
        <ul class="warnings">
          {report.warnings.map(({ code, message }) => (
            <li key={code}>
              <strong class="warning">{words.warnings[code] ?? code}</strong> {message}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Facts({ prompt }: { prompt: PromptWithAudio }) {
  const { details } = words;
  const by = prompt.recording_created_by;
  return (
    <details class="facts">
      <summary>{details.facts}</summary>
      <dl>
        <Fact name={details.id}>{prompt.media_prompt_id}</Fact>
        <Fact name={details.url}>{prompt.url}</Fact>
        <Fact name={details.unit}>{unitText(prompt.org_unit_id)}</Fact>
        <Fact name={details.created}>
          {asMoment(prompt.created_on)} {by !== null && details.by(by)}
        </Fact>
        {prompt.original_filename !== null && <Fact name={details.file}>{prompt.original_filename}</Fact>}
        <Fact name={details.format}>
          {prompt.container} · {asFormat(prompt)}
        </Fact>
        <Fact name={details.size}>{asBytes(prompt.file_size)}</Fact>
        {prompt.description !== null && <Fact name={details.description}>{prompt.description}</Fact>}
        <Fact name={details.checksum}>{prompt.sha256}</Fact>
      </dl>
    </details>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
