import { signal } from '@preact/signals';
import { words } from './words.ts';

/** For how long a notice stays, ms: long enough to be read twice. */
const STAYS = 5_000;

/** What just happened, for eyes and for screen readers; empty most of the time. */
export const notice = signal('');
let timer: ReturnType<typeof setTimeout> | undefined;

export function tell(text: string): void {
  clearTimeout(timer);
  notice.value = text;
  timer = setTimeout(() => {
    notice.value = '';
  }, STAYS);
}

/** Copies a text and says so, by the name of what it is. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    tell(words.copied(what));
  } catch {
    tell(words.copyFailed);
  }
}
