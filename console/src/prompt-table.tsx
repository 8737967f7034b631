import { useComputed } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { go, place, type SortKey } from './address.ts';
import type { Prompt } from './api.ts';
import { isMeasuring } from './capabilities.ts';
import { asBytes, asDay, asDuration, asFormat, asMoment } from './format.ts';
import { narrow } from './prompts.ts';
import { reportOf, watchReport } from './reports.ts';
import { isOfMany, unitOf } from './units.ts';
import { words } from './words.ts';

const { columns } = words.list;

export function PromptTable({ prompts }: { prompts: readonly Prompt[] }) {
  return (
    <table class="prompts">
      <caption class="unseen">{words.list.caption}</caption>
      <thead>
        <tr>
          <Column by="name" />
          <Column by="message_type" class="wide-only" />
          {isOfMany.value && (
            <th scope="col" class="wide-only of-unit">
              {columns.unit}
            </th>
          )}
          <Column by="duration_ms" class="wide-only figure" />
          <th scope="col" class="wide-only roomy-only of-format">
            {columns.format}
          </th>
          <Column by="file_size" class="wide-only figure" />
          <Column by="created_on" class="wide-only" />
          <th scope="col" class="of-sound">
            {columns.sound}
          </th>
        </tr>
      </thead>
      <tbody>
        {prompts.map((prompt) => (
          <Row key={prompt.media_prompt_id} prompt={prompt} />
        ))}
      </tbody>
    </table>
  );
}

/** The first order that somebody wants of it. */
const FIRST_ORDER: Readonly<Record<SortKey, 'asc' | 'desc'>> = {
  name: 'asc',
  message_type: 'asc',
  duration_ms: 'desc',
  file_size: 'desc',
  created_on: 'desc',
};

function Column({ by, class: name = '' }: { by: SortKey; class?: string }) {
  const { sort, order } = place.value;
  const isSorted = sort === by;
  const sortBy = () => {
    const turned = order === 'asc' ? 'desc' : 'asc';
    narrow({ sort: by, order: isSorted ? turned : FIRST_ORDER[by] });
  };
  const sorted = order === 'asc' ? 'ascending' : 'descending';
  return (
    <th scope="col" class={`of-${by} ${name}`} aria-sort={isSorted ? sorted : undefined}>
      <button type="button" class="sort" onClick={sortBy}>
        {columns[by]}
        <span aria-hidden="true" class="arrow">
          {isSorted ? (order === 'asc' ? '↑' : '↓') : ''}
        </span>
      </button>
    </th>
  );
}

function Row({ prompt }: { prompt: Prompt }) {
  const id = prompt.media_prompt_id;
  const isOpen = useComputed(() => place.value.prompt === id).value;
  const type = words.types[prompt.message_type];
  return (
    <tr class={isOpen ? 'is-open' : ''}>
      <th scope="row">
        <button
          type="button"
          class="name"
          data-prompt={id}
          aria-current={isOpen ? 'true' : undefined}
          onClick={() => go({ prompt: id })}
          onKeyDown={walk}
        >
          {prompt.name}
        </button>
        <span class="narrow-only under">
          {[type, asDuration(prompt.duration_ms), asBytes(prompt.file_size)].join(' · ')}
        </span>
      </th>
      <td class="wide-only">
        <span class={`chip is-${prompt.message_type}`}>{type}</span>
      </td>
      {isOfMany.value && <Unit id={prompt.org_unit_id} />}
      <td class="wide-only figure">{asDuration(prompt.duration_ms)}</td>
      <td class="wide-only roomy-only compact muted">{asFormat(prompt)}</td>
      <td class="wide-only figure">{asBytes(prompt.file_size)}</td>
      <td class="wide-only compact" title={asMoment(prompt.created_on)}>
        {asDay(prompt.created_on)}
      </td>
      <Sound id={id} />
    </tr>
  );
}

function Unit({ id }: { id: number }) {
  const unit = unitOf(id).value;
  return (
    <td class="wide-only of-unit" title={unit?.path.join(' / ')}>
      {unit?.name ?? id}
    </td>
  );
}

/** Up and down lead from name to name. */
function walk(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const row = event.currentTarget.closest('tr');
  const next = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  next?.querySelector<HTMLElement>('.name')?.focus();
}

/** What was measured, asked for once the row is seen. */
function Sound({ id }: { id: number }) {
  const cell = useRef<HTMLTableCellElement>(null);
  const isMeasured = isMeasuring.value;
  useEffect(() => {
    if (cell.current === null || !isMeasured) return undefined;
    let unwatch: (() => void) | undefined;
    const observer = new IntersectionObserver(([entry]) => {
      unwatch?.();
      unwatch = entry?.isIntersecting ? watchReport(id) : undefined;
    });
    observer.observe(cell.current);
    return () => {
      observer.disconnect();
      unwatch?.();
    };
  }, [id, isMeasured]);
  return (
    <td ref={cell} class="sound">
      {isMeasured ? <Verdict id={id} /> : <Faint>{words.none}</Faint>}
    </td>
  );
}

function Verdict({ id }: { id: number }) {
  const report = reportOf(id).value;
  if (report === undefined) return <Faint>…</Faint>;
  if (report === null) return <Faint>{words.list.measuring}</Faint>;
  const [first, ...others] = report.warnings;
  if (first === undefined) return <span class="fine">{words.list.fine}</span>;
  return (
    <span class="warning" title={report.warnings.map(({ message }) => message).join('\n')}>
      {words.warnings[first.code] ?? first.code}
      {others.length > 0 && ` ${words.list.more(others.length)}`}
    </span>
  );
}

function Faint({ children }: { children: ComponentChildren }) {
  return <span class="muted">{children}</span>;
}
