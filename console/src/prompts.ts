import { batch, effect, signal } from '@preact/signals';
import { go, type Place, place } from './address.ts';
import { ask, type Page, Refusal, ServiceAway } from './api.ts';
import { tell } from './notices.ts';
import { isExpired, session } from './session.ts';
import { words } from './words.ts';

export const PAGE_SIZE = 50;
/** Between tries while the service does not answer, ms: doubled each time up to the second. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 15_000;

/** The page of the list that is shown, and the place it answers; null before the first. */
export const listing = signal<(Page & { readonly page: number }) | null>(null);
export const isLoading = signal(false);
/** Why what is shown is not what was asked for. */
export const fault = signal('');
/** Nobody answers, and it is tried again and again. */
export const isAway = signal(false);
/** Asked for once more when it grows. */
const round = signal(0);

/** Where each page that was seen begins, of the filters that were last asked with: the API leads forward only. */
let trail: { readonly of: string; readonly cursors: (string | undefined)[] } = { of: '', cursors: [] };
let pause = FIRST_PAUSE;
let timer: ReturnType<typeof setTimeout> | undefined;
let asked: AbortController | undefined;

effect(() => {
  const at = place.value;
  const isIn = session.value !== null && !isExpired.value;
  void round.value;
  if (isIn) void load(keyOf(at), at);
});

/** What of a place decides what is on a page. */
const keyOf = ({ name, type, unit, sort, order, cursor }: Place) =>
  JSON.stringify([session.peek()?.token, round.peek(), name, type, unit, sort, order, cursor]);
let loaded = '';

async function load(key: string, at: Place): Promise<void> {
  if (key === loaded) return;
  loaded = key;
  clearTimeout(timer);
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  isLoading.value = true;
  try {
    const page = await ask<Page>(`/media-prompts?${queryOf(at)}`, { signal });
    // A later question was asked meanwhile, and this answer is stale.
    if (signal.aborted) return;
    pause = FIRST_PAUSE;
    remember(at, page.next_cursor);
    batch(() => {
      if (isAway.value) tell(words.trouble.back);
      isAway.value = false;
      fault.value = '';
      listing.value = { ...page, page: at.page };
      isLoading.value = false;
    });
  } catch (error) {
    if (!signal.aborted) fail(error, at);
  }
}

function remember(at: Place, next: string | null): void {
  const of = JSON.stringify([at.name, at.type, at.unit, at.sort, at.order]);
  if (trail.of !== of) trail = { of, cursors: [''] };
  trail.cursors[at.page] = at.cursor;
  if (next !== null) trail.cursors[at.page + 1] = next;
}

function fail(error: unknown, at: Place): void {
  isLoading.value = false;
  if (error instanceof ServiceAway || (error instanceof Refusal && error.isPassing)) {
    isAway.value = true;
    const wait = error instanceof Refusal ? (error.retryAfterMs ?? pause) : pause;
    timer = setTimeout(reload, Math.max(wait, FIRST_PAUSE));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
    return;
  }
  isAway.value = false;
  if (error instanceof Refusal && error.status === 401) return;
  // A place that somebody kept may name a page of another order.
  if (error instanceof Refusal && at.cursor !== '' && error.faults.some(({ field }) => field === 'cursor')) {
    go({ page: 0, cursor: '' }, { isStep: false });
    return;
  }
  fault.value = error instanceof Error ? error.message : String(error);
}

function queryOf({ name, type, unit, sort, order, cursor }: Place): string {
  const given = { name, message_type: type, org_unit_id: unit, cursor };
  return new URLSearchParams({
    limit: String(PAGE_SIZE),
    sort_by: sort,
    sort_order: order,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '')),
  }).toString();
}

/** Asks for the same again. */
export function reload(): void {
  round.value += 1;
}

/** What one saw is not for the next who signs in. */
export function forget(): void {
  asked?.abort();
  clearTimeout(timer);
  loaded = '';
  batch(() => {
    listing.value = null;
    fault.value = '';
    isAway.value = false;
    isLoading.value = false;
  });
}

/** Another question begins at its first page. */
export function narrow(change: Partial<Place>): void {
  go({ ...change, page: 0, cursor: '' }, { isStep: false });
}

export function turnForward(): void {
  const next = listing.value?.next_cursor;
  if (next) go({ page: place.value.page + 1, cursor: next });
}

/** To the page before, or where that is not known (the page was opened by its address) to the first. */
export function turnBack(): void {
  const page = place.value.page - 1;
  const cursor = trail.cursors[page];
  go(cursor === undefined ? { page: 0, cursor: '' } : { page, cursor });
}
