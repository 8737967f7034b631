import { useEffect, useRef } from 'preact/hooks';
import { place, SORT_KEYS, type SortKey } from './address.ts';
import { MESSAGE_TYPES } from './api.ts';
import { narrow } from './prompts.ts';
import { hasUnits, UnitChoice } from './unit-choice.tsx';
import { words } from './words.ts';

/** After the last key, ms. */
const SEARCH_PAUSE = 200;

export function Filters() {
  const { type, unit, name, sort, order } = place.value;
  const isFiltered = type !== '' || unit !== '' || name !== '';
  return (
    <search class="filters" aria-label={words.filters.label}>
      <Typed
        class="grow"
        label={words.filters.search}
        isSearch
        value={name}
        accept={(text) => narrow({ name: text.trim() })}
      />
      <label class="field">
        <span>{words.filters.type}</span>
        <select value={type} onChange={(event) => narrow({ type: event.currentTarget.value })}>
          <option value="">{words.filters.allTypes}</option>
          {MESSAGE_TYPES.map((each) => (
            <option key={each} value={each}>
              {words.types[each]}
            </option>
          ))}
        </select>
      </label>
      {hasUnits(unit) && (
        <div class="field unit">
          <label for="filter-unit">{words.filters.unit}</label>
          <UnitChoice id="filter-unit" value={unit} choose={(chosen) => narrow({ unit: chosen })} />
        </div>
      )}
      <label class="field narrow-only">
        <span>{words.filters.sort}</span>
        <select value={`${sort} ${order}`} onChange={(event) => narrow(orderIn(event.currentTarget.value))}>
          {SORT_KEYS.flatMap((key) =>
            (['asc', 'desc'] as const).map((each) => (
              <option key={`${key} ${each}`} value={`${key} ${each}`}>
                {words.list.columns[key]},{' '}
                {each === 'asc' ? words.filters.ascending : words.filters.descending}
              </option>
            )),
          )}
        </select>
      </label>
      {isFiltered && (
        <button type="button" class="quiet" onClick={() => narrow({ name: '', type: '', unit: '' })}>
          {words.filters.clear}
        </button>
      )}
    </search>
  );
}

function orderIn(value: string): { sort: SortKey; order: 'asc' | 'desc' } {
  const [sort, order] = value.split(' ');
  return {
    sort: SORT_KEYS.find((key) => key === sort) ?? 'created_on',
    order: order === 'asc' ? 'asc' : 'desc',
  };
}

interface TypedProps {
  readonly class: string;
  readonly label: string;
  readonly isSearch?: boolean;
  readonly value: string;
  readonly accept: (text: string) => void;
}

/** A field that is acted on a moment after the last key, and at once on Enter. */
function Typed({ class: name, label, value, accept, isSearch = false }: TypedProps) {
  const field = useRef<HTMLInputElement>(null);
  const said = useRef(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  // Only what came from elsewhere may replace what somebody is typing.
  useEffect(() => {
    if (field.current !== null && value !== said.current) field.current.value = value;
    said.current = value;
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const say = (text: string) => {
    clearTimeout(timer.current);
    said.current = text.trim();
    accept(text);
  };
  return (
    <label class={`field ${name}`}>
      <span>{label}</span>
      <input
        ref={field}
        role={isSearch ? 'searchbox' : undefined}
        enterkeyhint={isSearch ? 'search' : undefined}
        defaultValue={value}
        autocomplete="off"
        spellcheck={false}
        onInput={({ currentTarget }) => {
          clearTimeout(timer.current);
          timer.current = setTimeout(() => say(currentTarget.value), SEARCH_PAUSE);
        }}
        onKeyDown={({ key, currentTarget }) => {
          if (key === 'Enter') say(currentTarget.value);
        }}
      />
    </label>
  );
}
