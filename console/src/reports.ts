import { type Signal, signal } from '@preact/signals';
import { ask, type PromptWithAudio, type Report } from './api.ts';
import { isMeasuring } from './capabilities.ts';

/** The list does not tell what was measured: asked for one by one, for rows that are seen, so many at a time. */
const AT_ONCE = 3;
/** Between looks at what is not measured yet, ms, and how many. */
const PAUSE = 4_000;
const LOOKS = 8;
/** Remembered; beyond it, who was asked for first is forgotten. */
const MOST = 2_000;

/** undefined: not known; null: not measured yet. */
export type Known = Report | null | undefined;

const known = new Map<number, Signal<Known>>();
const wanted = new Map<number, number>();
let running = 0;

/** What is known of a prompt's sound, now and later. */
export function reportOf(id: number): Signal<Known> {
  const found = known.get(id);
  if (found !== undefined) return found;
  const made = signal<Known>(undefined);
  known.set(id, made);
  for (const [oldest] of known) {
    if (known.size <= MOST) break;
    known.delete(oldest);
  }
  return made;
}

/** Asks for it as long as somebody sees it. The return value says that nobody does any more. */
export function watchReport(id: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looks = 0;
  const look = () => {
    if (reportOf(id).value || looks >= LOOKS || !isMeasuring.value) return;
    looks += 1;
    wanted.set(id, looks);
    work();
    timer = setTimeout(look, PAUSE);
  };
  look();
  return () => {
    clearTimeout(timer);
    wanted.delete(id);
  };
}

function work(): void {
  for (const [id] of wanted) {
    if (running >= AT_ONCE) return;
    wanted.delete(id);
    running += 1;
    void ask<PromptWithAudio>(`/media-prompts/${id}`)
      .then(
        ({ audio_report }) => learn(id, audio_report),
        // The row itself shows no worse than before.
        () => undefined,
      )
      .finally(() => {
        running -= 1;
        work();
      });
  }
}

export function learn(id: number, report: Report | null): void {
  reportOf(id).value = report;
}
