import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import type { OrgUnit } from './api.ts';
import { session } from './session.ts';
import { isOfMany, searchUnits, unitOf } from './units.ts';
import { words } from './words.ts';

/** After the last key, ms. */
const SEARCH_PAUSE = 150;

interface UnitChoiceProps {
  readonly id: string;
  /** An ID; empty for the unit of the token. */
  readonly value: string;
  readonly choose: (id: string) => void;
  readonly isFixed?: boolean;
  readonly isWrong?: boolean;
  readonly describedBy?: string;
}

/** Is there more than one to choose from, or another one chosen? */
export const hasUnits = (value: string): boolean => isOfMany.value || value !== '';

/**
 * Chooses one of the org units that the token reaches, by a part of its name or by its ID, as
 * https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ has it.
 */
export function UnitChoice({ id, value, choose, isFixed, isWrong, describedBy }: UnitChoiceProps) {
  const list = useId();
  const { typed, offered, active, fault, open, close, type } = useSearch();
  const own = session.value?.orgUnitId ?? 0;
  const take = (unit: OrgUnit | undefined) => {
    close();
    if (unit !== undefined) choose(unit.org_unit_id === own ? '' : String(unit.org_unit_id));
  };
  const isOpen = typed.value !== undefined;
  const options = offered.value ?? [];
  const move = (by: number) => {
    if (!isOpen) open();
    else if (options.length > 0) {
      // From none, up leads to the last and down to the first.
      const from = active.value < 0 && by < 0 ? 0 : active.value;
      active.value = (from + by + options.length) % options.length;
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const action = {
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      Enter: () => take(options[active.value]),
      Escape: close,
    }[event.key];
    if (action === undefined || (!isOpen && !event.key.startsWith('Arrow'))) return;
    event.preventDefault();
    action();
  };
  return (
    <div class="unit-choice">
      <input
        id={id}
        role="combobox"
        aria-expanded={isOpen}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={isOpen && options[active.value] ? `${list}-${active.value}` : undefined}
        aria-invalid={isWrong}
        aria-describedby={describedBy}
        autocomplete="off"
        spellcheck={false}
        disabled={isFixed}
        value={typed.value ?? nameOf(value, own)}
        placeholder={nameOf(value, own)}
        onClick={() => !isOpen && open()}
        onInput={({ currentTarget }) => type(currentTarget.value)}
        onKeyDown={onKeyDown}
        onFocus={({ currentTarget }) => currentTarget.select()}
        onBlur={close}
      />
      <div class={isOpen ? 'offered' : 'unseen'}>
        <div id={list} role="listbox" aria-label={words.units.offered} hidden={!isOpen}>
          {options.map((unit, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys of the field, which keeps the focus, choose.
            <div
              key={unit.org_unit_id}
              id={`${list}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === active.value}
              // The field keeps the focus, which would close the list before the click.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => take(unit)}
            >
              {unit.name} <span class="muted">{unit.org_unit_id}</span>
              {unit.path.length > 1 && <span class="trail muted">{trailOf(unit)}</span>}
            </div>
          ))}
        </div>
        <p class="hint" role="status">
          {isOpen && (fault.value || (offered.value?.length === 0 && words.units.nothing))}
        </p>
      </div>
    </div>
  );
}

const trailOf = ({ path }: OrgUnit) => path.slice(0, -1).join(' / ');

/** As people know it; its ID as long as its name is not known. */
export function nameOf(value: string, own: number): string {
  const id = Number(value) || own;
  return unitOf(id).value?.name ?? String(id);
}

/** What is offered for what was typed last; `typed` is undefined as long as nobody chooses. */
function useSearch() {
  const typed = useSignal<string | undefined>(undefined);
  const offered = useSignal<readonly OrgUnit[] | undefined>(undefined);
  const active = useSignal(-1);
  const fault = useSignal('');
  const aborter = useRef<AbortController | undefined>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const stop = () => {
    clearTimeout(timer.current);
    aborter.current?.abort();
  };
  useEffect(() => stop, []);

  const search = async (text: string) => {
    aborter.current = new AbortController();
    const { signal } = aborter.current;
    try {
      const found = await searchUnits(text, signal);
      if (signal.aborted) return;
      offered.value = found;
      active.value = text !== '' && found.length > 0 ? 0 : -1;
      fault.value = '';
    } catch (error) {
      if (!signal.aborted) fault.value = error instanceof Error ? error.message : String(error);
    }
  };
  const look = (text: string, shown: string, pause: number) => {
    stop();
    typed.value = shown;
    active.value = -1;
    timer.current = setTimeout(() => void search(text), pause);
  };
  return {
    typed,
    offered,
    active,
    fault,
    open: () => look('', '', 0),
    type: (text: string) => look(text.trim(), text, SEARCH_PAUSE),
    close: () => {
      stop();
      typed.value = undefined;
      offered.value = undefined;
    },
  };
}
