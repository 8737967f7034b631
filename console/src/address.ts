import { signal } from '@preact/signals';

export const SORT_KEYS = ['created_on', 'name', 'message_type', 'duration_ms', 'file_size'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** What the address of the page says: enough to find the same again, and never a token. */
export interface Place {
  readonly view: 'prompts' | 'upload';
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly sort: SortKey;
  readonly order: 'asc' | 'desc';
  /** From 0. */
  readonly page: number;
  /** Of that page; empty for the first. */
  readonly cursor: string;
  readonly prompt: number | null;
}

const START: Place = {
  view: 'prompts',
  name: '',
  type: '',
  unit: '',
  sort: 'created_on',
  order: 'desc',
  page: 0,
  cursor: '',
  prompt: null,
};

export const place = signal<Place>(placeIn(location.hash));

window.addEventListener('popstate', () => {
  place.value = placeIn(location.hash);
});

/** In the fragment, which no server gets to see. */
function placeIn(hash: string): Place {
  const given = new URLSearchParams(hash.slice(1));
  const text = (name: string) => given.get(name) ?? '';
  const number = (name: string) => (/^\d{1,15}$/.test(text(name)) ? Number(text(name)) : 0);
  const cursor = text('cursor');
  return {
    view: text('view') === 'upload' ? 'upload' : 'prompts',
    name: text('name'),
    type: text('type'),
    unit: text('unit'),
    sort: SORT_KEYS.find((key) => key === text('sort')) ?? START.sort,
    order: text('order') === 'asc' ? 'asc' : 'desc',
    page: cursor === '' ? 0 : number('page'),
    cursor,
    prompt: number('prompt') || null,
  };
}

function hashOf(at: Place): string {
  const said = Object.entries(at).filter(
    ([name, value]) => value !== START[name as keyof Place] && value !== null,
  );
  const text = new URLSearchParams(said.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? location.pathname : `#${text}`;
}

/** Goes to another place. `isStep`: one that the back button of the browser leads back from. */
export function go(change: Partial<Place>, { isStep = true } = {}): void {
  const next = { ...place.value, ...change };
  if (hashOf(next) === hashOf(place.value)) return;
  history[isStep ? 'pushState' : 'replaceState'](null, '', hashOf(next));
  place.value = next;
}

/** Takes the one-time code of a link out of the address, before anything else can see it there. */
export function takeCode(): string | undefined {
  const code = codeIn(location.hash);
  if (code !== undefined) history.replaceState(null, '', location.pathname);
  return code;
}

/** The one-time code in a link, or in its end. */
export function codeIn(text: string): string | undefined {
  return /#code=([\w-]+)$/.exec(text.trim())?.[1];
}
