import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ask, type Playback } from './api.ts';
import { asSpan } from './format.ts';
import { copy } from './notices.ts';
import { isExpired } from './session.ts';
import { ENGINE_TEXTS, ENGINES, type Engine } from './snippets.ts';
import { words } from './words.ts';

const BANDS = ['narrow', 'wide'] as const;

/** Whoever has one engine has it for every prompt. */
const engine = signal<Engine>('asterisk');
const band = signal<(typeof BANDS)[number]>('narrow');

/** The url that an engine plays, the line for its configuration, and what to mind. */
export function EnginePanel({ id, unavailable }: { id: number; unavailable: string | null }) {
  const answer = useSignal<Playback | null>(null);
  const fault = useSignal('');
  const [chosen, line, isBlocked] = [engine.value, band.value, isExpired.value || unavailable !== null];
  useEffect(() => {
    if (isBlocked) return undefined;
    const aborter = new AbortController();
    ask<Playback>(`/media-prompts/${id}/playback?engine=${chosen}&band=${line}`, {
      signal: aborter.signal,
    }).then(
      (playback) => {
        answer.value = playback;
        fault.value = '';
      },
      (error: unknown) => {
        if (aborter.signal.aborted) return;
        answer.value = null;
        fault.value = error instanceof Error ? error.message : String(error);
      },
    );
    return () => aborter.abort();
  }, [id, chosen, line, isBlocked]);
  return (
    <section class="engine" aria-labelledby="engine-title">
      <h3 id="engine-title">{words.engines.title}</h3>
      <div class="engine-choice">
        <label class="field">
          <span>{words.engines.engine}</span>
          <select value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value)}>
            {ENGINES.map((each) => (
              <option key={each} value={each}>
                {ENGINE_TEXTS[each].name}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>{words.engines.band}</span>
          <select
            value={line}
            onChange={({ currentTarget }) => {
              band.value = currentTarget.value === 'wide' ? 'wide' : 'narrow';
            }}
          >
            {BANDS.map((each) => (
              <option key={each} value={each}>
                {words.engines.bands[each]}
              </option>
            ))}
          </select>
        </label>
      </div>
      {unavailable !== null && <p class="muted">{unavailable}</p>}
      {fault.value !== '' && <p class="fault">{fault}</p>}
      {answer.value !== null && <Answer playback={answer.value} engine={chosen} />}
    </section>
  );
}

function choose(name: string): void {
  engine.value = ENGINES.find((each) => each === name) ?? 'asterisk';
}

function Answer({ playback, engine: chosen }: { playback: Playback; engine: Engine }) {
  const { engines } = words;
  const url = new URL(playback.url, location.href).href;
  const snippet = ENGINE_TEXTS[chosen].snippet(url);
  const { cache_seconds: seconds } = playback;
  // The address was put before it already.
  const others = playback.warnings.filter(({ code }) => code !== 'relative_url');
  return (
    <>
      <Copyable name={engines.url} text={url} button={engines.copyUrl} />
      <Copyable name={engines.snippet} text={snippet} button={engines.copySnippet} />
      <ul class="mind">
        <li>{seconds === null ? engines.keepsNone : engines.keeps(asSpan(seconds))}</li>
        {others.length < playback.warnings.length && <li>{engines.relative}</li>}
        {others.map(({ code, message }) => (
          <li key={code} class="is-warning">
            {message}
          </li>
        ))}
      </ul>
    </>
  );
}

function Copyable({ name, text, button }: { name: string; text: string; button: string }) {
  return (
    <div class="copyable">
      <p class="muted">{name}</p>
      <code>{text}</code>
      <button type="button" aria-label={button} onClick={() => copy(text, name)}>
        {words.copy}
      </button>
    </div>
  );
}
