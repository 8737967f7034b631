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

/** What came of a question: an answer, or why there is none. */
interface Answered {
  readonly question: string;
  readonly playback?: Playback;
  readonly fault?: string;
}

const NOT_YET: Answered = { question: '' };

/** The url that an engine plays, the line for its configuration, and what to mind. */
export function EnginePanel({ id, unavailable }: { id: number; unavailable: string | null }) {
  const latest = useSignal<Answered | null>(null);
  const [chosen, line, isBlocked] = [engine.value, band.value, isExpired.value || unavailable !== null];
  const question = `/media-prompts/${id}/playback?engine=${chosen}&band=${line}`;
  useEffect(() => {
    if (isBlocked) return undefined;
    const aborter = new AbortController();
    ask<Playback>(question, { signal: aborter.signal }).then(
      (playback) => {
        if (!aborter.signal.aborted) latest.value = { question, playback };
      },
      (error: unknown) => {
        if (aborter.signal.aborted) return;
        latest.value = { question, fault: error instanceof Error ? error.message : String(error) };
      },
    );
    return () => aborter.abort();
  }, [question, isBlocked]);
  // Until its own answer is there, another choice has none: the url of the one before would be copied for it.
  const { playback, fault } = latest.value?.question === question ? latest.value : NOT_YET;
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
      {fault !== undefined && <p class="fault">{fault}</p>}
      {playback !== undefined && <Answer playback={playback} engine={chosen} />}
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
