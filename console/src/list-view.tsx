import { useEffect } from 'preact/hooks';
import { go, place } from './address.ts';
import { bringDetails, Details } from './details.tsx';
import { Filters } from './filters.tsx';
import { asNumber } from './format.ts';
import { PromptTable } from './prompt-table.tsx';
import {
  fault,
  isAway,
  isLoading,
  listing,
  narrow,
  PAGE_SIZE,
  reload,
  turnBack,
  turnForward,
} from './prompts.ts';
import { mayWrite } from './session.ts';
import { words } from './words.ts';

/** What there is, and beside it the prompt that is open. */
export function ListView() {
  const { prompt } = place.value;
  useEffect(() => {
    // After what the browser has to do for the list.
    if (listing.value !== null) setTimeout(bringDetails);
  }, [listing.value === null]);
  return (
    <div class={prompt === null ? 'split' : 'split has-details'}>
      <section class="shelf" aria-label={words.header.prompts}>
        <h1 class="unseen">{words.header.prompts}</h1>
        <Filters />
        <Trouble />
        <Listing />
      </section>
      {prompt !== null && <Details key={prompt} id={prompt} />}
    </div>
  );
}

function Trouble() {
  return (
    <div role="alert">
      {isAway.value && (
        <p class="banner">
          <span>
            {words.trouble.away} {words.trouble.tryingAgain}
          </span>
          <button type="button" onClick={reload}>
            {words.trouble.tryNow}
          </button>
        </p>
      )}
      {fault.value !== '' && <p class="banner is-fault">{fault}</p>}
    </div>
  );
}

function Listing() {
  const { value: shown } = listing;
  if (shown === null) return isLoading.value ? <p class="quiet-text">{words.loading}</p> : null;
  if (shown.media_prompts.length === 0) return <Nothing isFirst={shown.page === 0} />;
  return (
    <div class={isLoading.value ? 'is-stale' : ''} aria-busy={isLoading}>
      <PromptTable prompts={shown.media_prompts} />
      <Pager
        page={shown.page}
        count={shown.media_prompts.length}
        total={shown.total}
        hasNext={shown.next_cursor !== null}
      />
    </div>
  );
}

function Nothing({ isFirst }: { isFirst: boolean }) {
  const { name, type, unit } = place.value;
  const isFiltered = name !== '' || type !== '' || unit !== '' || !isFirst;
  if (isFiltered) {
    return (
      <div class="nothing">
        <p>{words.list.noMatch}</p>
        <button type="button" onClick={() => narrow({ name: '', type: '', unit: '' })}>
          {words.filters.clear}
        </button>
      </div>
    );
  }
  return (
    <div class="nothing">
      <p>{words.list.empty}</p>
      {mayWrite() && (
        <>
          <p class="muted">{words.list.emptyHint}</p>
          <button type="button" class="primary" onClick={() => go({ view: 'upload' })}>
            {words.list.choose}
          </button>
        </>
      )}
    </div>
  );
}

interface PagerProps {
  readonly page: number;
  readonly count: number;
  readonly total: number;
  readonly hasNext: boolean;
}

function Pager({ page, count, total, hasNext }: PagerProps) {
  const first = page * PAGE_SIZE + 1;
  return (
    <nav class="pager" aria-label={words.list.pages}>
      <p role="status">{words.list.range(asNumber(first), asNumber(first + count - 1), asNumber(total))}</p>
      {page > 1 && (
        <button type="button" class="quiet" onClick={() => go({ page: 0, cursor: '' })}>
          {words.list.first}
        </button>
      )}
      <button type="button" disabled={page === 0} onClick={turnBack}>
        {words.list.previous}
      </button>
      <button type="button" disabled={!hasNext} onClick={turnForward}>
        {words.list.next}
      </button>
    </nav>
  );
}
