import { type ReadonlySignal, signal } from '@preact/signals';
import { session } from './session.ts';
import { words } from './words.ts';

export type Source = 'original' | 'phone';

/** Where to find what is to be heard; null where there is none. */
export type Sources = Readonly<Record<Source, string | null>>;

/** Plays one prompt from either of its sources, and keeps the position between them. */
export interface Deck {
  readonly isPlaying: ReadonlySignal<boolean>;
  /** s */
  readonly position: ReadonlySignal<number>;
  /** s; 0 until it is known. */
  readonly length: ReadonlySignal<number>;
  readonly source: ReadonlySignal<Source>;
  /** Why nothing is heard; empty when all is well. */
  readonly trouble: ReadonlySignal<string>;
  toggle(): void;
  seek(seconds: number): void;
  choose(source: Source): void;
  end(): void;
}

export function createDeck(audio: HTMLAudioElement, sources: Sources): Deck {
  const isPlaying = signal(false);
  const position = signal(0);
  const length = signal(0);
  const source = signal<Source>('original');
  const trouble = signal('');
  const aborter = new AbortController();
  /** What a token was needed for, played from memory. */
  const blobs = new Map<Source, string>();
  const failed = new Set<Source>();

  const listen = (names: readonly string[], listener: () => void) => {
    for (const name of names) audio.addEventListener(name, listener, { signal: aborter.signal });
  };
  listen(['play', 'pause', 'ended', 'emptied'], () => {
    isPlaying.value = !audio.paused && !audio.ended;
  });
  listen(['timeupdate', 'seeking', 'seeked'], () => {
    position.value = audio.currentTime;
  });
  listen(['durationchange', 'loadedmetadata'], () => {
    if (Number.isFinite(audio.duration)) length.value = audio.duration;
  });
  listen(['playing', 'loadedmetadata'], () => {
    trouble.value = '';
  });
  listen(['error'], () => void explain(source.value));
  put(sources.original);

  function put(url: string | null): void {
    if (url === null) return;
    const isOn = isPlaying.value;
    const at = position.value;
    audio.src = url;
    // Before anything is loaded this is where it will begin.
    audio.currentTime = at;
    if (isOn) play();
  }

  function play(): void {
    audio.play().catch((error: unknown) => {
      // Another source was chosen before this one began, or it cannot be played, which the element tells itself.
      if (!(error instanceof DOMException)) throw error;
    });
  }

  /** An element does not tell why it cannot play; a question without the bytes does. */
  async function explain(which: Source): Promise<void> {
    const url = sources[which];
    if (url === null || failed.has(which) || blobs.has(which)) {
      trouble.value = words.player.nothing;
      return;
    }
    const wasPlaying = isPlaying.value;
    const { status } = await fetch(url, { method: 'HEAD', signal: aborter.signal }).catch(() => ({
      status: 0,
    }));
    if (aborter.signal.aborted || source.value !== which) return;
    if (status === 401) await bring(which, url, wasPlaying);
    else if (status === 200) failed.add(which);
    if (status !== 401) trouble.value = textFor(status);
  }

  function textFor(status: number): string {
    if (status === 0) return words.trouble.away;
    return status === 503 ? words.player.notYet : words.player.nothing;
  }

  async function bring(which: Source, url: string, isWanted: boolean): Promise<void> {
    try {
      const headers = { authorization: `Bearer ${session.peek()?.token}` };
      const response = await fetch(url, { headers, signal: aborter.signal });
      if (!response.ok) throw new Error(words.player.nothing);
      blobs.set(which, URL.createObjectURL(await response.blob()));
    } catch {
      trouble.value = words.player.nothing;
      return;
    }
    if (source.value !== which) return;
    put(blobs.get(which) ?? null);
    if (isWanted) play();
  }

  return {
    isPlaying,
    position,
    length,
    source,
    trouble,
    toggle() {
      if (isPlaying.value) audio.pause();
      else {
        if (audio.error !== null) put(blobs.get(source.value) ?? sources[source.value]);
        play();
      }
    },
    seek(seconds) {
      audio.currentTime = Math.max(0, length.value > 0 ? Math.min(seconds, length.value) : seconds);
      position.value = audio.currentTime;
      // As long as nothing is loaded the element keeps it to itself.
      if (audio.readyState === HTMLMediaElement.HAVE_NOTHING) audio.dispatchEvent(new Event('timeupdate'));
    },
    choose(next) {
      if (next === source.value || sources[next] === null) return;
      source.value = next;
      trouble.value = '';
      put(blobs.get(next) ?? sources[next]);
    },
    end() {
      aborter.abort();
      audio.pause();
      audio.removeAttribute('src');
      audio.load();
      for (const url of blobs.values()) URL.revokeObjectURL(url);
    },
  };
}
