import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PromptWithAudio, Rendition } from './api.ts';
import { createDeck, type Deck, type Source } from './deck.ts';
import { asClock } from './format.ts';
import { Waveform } from './waveform.tsx';
import { words } from './words.ts';

/** What a phone line carries. */
const PHONE = 'pcm8k';
/** s */
const STEP = 1;
const STRIDE = 5;

/** A prompt as it was uploaded and as a caller hears it, from one position, below its `children`, who share its keys. */
export function Player({ prompt, children }: { prompt: PromptWithAudio; children: ComponentChildren }) {
  const audio = useRef<HTMLAudioElement>(null);
  const [deck, setDeck] = useState<Deck>();
  const phone = prompt.renditions.find(({ rendition }) => rendition === PHONE);
  const phoneUrl = phone !== undefined && canBeHeard(phone) ? phone.url : null;
  useEffect(() => {
    if (audio.current === null) return undefined;
    const made = createDeck(audio.current, { original: prompt.url, phone: phoneUrl });
    setDeck(made);
    return made.end;
  }, [prompt.url, phoneUrl]);
  return (
    <section
      class="player"
      aria-label={words.player.label}
      onKeyDown={(event) => deck && control(event, deck)}
    >
      <div>{children}</div>
      {/* biome-ignore lint/a11y/useMediaCaption: the prompts are what callers hear; nobody wrote down their words. */}
      <audio ref={audio} preload="metadata" />
      {deck !== undefined && audio.current !== null && (
        <>
          <Controls deck={deck} audio={audio.current} prompt={prompt} />
          <Choice deck={deck} phone={phone} />
          <p class="fault" role="alert">
            {deck.trouble}
          </p>
          <p class="hint">{words.player.keys}</p>
        </>
      )}
    </section>
  );
}

const canBeHeard = (rendition: Rendition | undefined) =>
  rendition?.state === 'ready' || rendition?.state === 'pending';

/** What was measured has one; what is going to be measured will. */
const hasWaveform = ({ audio_report, renditions }: PromptWithAudio) =>
  audio_report !== null || renditions.some(({ state }) => state !== 'unavailable');

function Controls({ deck, audio, prompt }: { deck: Deck; audio: HTMLAudioElement; prompt: PromptWithAudio }) {
  const length = deck.length.value || (prompt.duration_ms ?? 0) / 1000;
  const at = Math.min(deck.position.value, length);
  const isPlaying = deck.isPlaying.value;
  const text = words.player.at(asClock(at), asClock(length));
  return (
    <div class="controls">
      <button
        type="button"
        class="primary play"
        aria-label={isPlaying ? words.player.pause : words.player.play}
        onClick={deck.toggle}
      >
        <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
          <path d={isPlaying ? 'M7 5h4v14H7zM14 5h4v14h-4z' : 'M8 5v14l11-7z'} />
        </svg>
      </button>
      <div
        class="track"
        role="slider"
        tabIndex={0}
        aria-label={words.player.position}
        aria-valuemin={0}
        aria-valuemax={Math.round(length * 10) / 10}
        aria-valuenow={Math.round(at * 10) / 10}
        aria-valuetext={text}
      >
        <Waveform id={prompt.media_prompt_id} audio={audio} seconds={length} isThere={hasWaveform(prompt)} />
      </div>
      <p class="clock">{text}</p>
    </div>
  );
}

function Choice({ deck, phone }: { deck: Deck; phone: Rendition | undefined }) {
  const hasPhone = canBeHeard(phone);
  return (
    <fieldset class="choice">
      <legend class="unseen">{words.player.source}</legend>
      {(['original', 'phone'] as const).map((each: Source) => (
        <label key={each} class={deck.source.value === each ? 'is-chosen' : ''}>
          <input
            type="radio"
            name="source"
            checked={deck.source.value === each}
            disabled={each === 'phone' && !hasPhone}
            onChange={() => deck.choose(each)}
          />
          <span>{words.player[each]}</span>
        </label>
      ))}
      <p class="hint">{hasPhone ? words.player.phoneNote : words.player.noPhone(phone?.reason ?? null)}</p>
    </fieldset>
  );
}

/** Keys of the player, as long as the focus is in it. */
function control(event: KeyboardEvent, deck: Deck): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target as HTMLElement;
  // These take the space bar themselves.
  if (event.key === ' ' && target.matches('button, input')) return;
  const action = actionOf(event, deck, target.matches('[role=slider]'));
  if (action === undefined) return;
  event.preventDefault();
  action();
}

function actionOf({ key, shiftKey }: KeyboardEvent, deck: Deck, isSlider: boolean): (() => void) | undefined {
  const by = (seconds: number) => () => deck.seek(deck.position.value + seconds);
  if (key === ' ') return deck.toggle;
  if (key === 'c' || key === 'C') {
    return () => deck.choose(deck.source.value === 'original' ? 'phone' : 'original');
  }
  if (!isSlider) return undefined;
  const step = shiftKey ? STRIDE : STEP;
  return {
    ArrowLeft: by(-step),
    ArrowDown: by(-step),
    ArrowRight: by(step),
    ArrowUp: by(step),
    PageDown: by(-STRIDE),
    PageUp: by(STRIDE),
    Home: () => deck.seek(0),
    End: () => deck.seek(deck.length.value),
  }[key];
}
