import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { go } from './address.ts';
import { asBytes, asShare } from './format.ts';
import { TypeChoice } from './type-choice.tsx';
import { hasUnits, UnitChoice } from './unit-choice.tsx';
import { cancel, drop, edit, start, type Upload } from './uploads.ts';
import { words } from './words.ts';

/** One file: what it shall be called, how far it is, what is wrong with it. */
export function UploadLine({ upload }: { upload: Signal<Upload> }) {
  const { value: line } = upload;
  const { key, file, name, type, unit, state } = line;
  const isFixed = state === 'waiting' || state === 'sending' || state === 'done';
  const faultOf = (field: string) => line.faults.find((fault) => fault.field === field)?.message;
  const others = line.faults.filter(({ field }) => !['name', 'message_type', 'org_unit_id'].includes(field));
  return (
    <li class={`line is-${state}`}>
      <div class="line-fields">
        <Field label={words.upload.name} fault={faultOf('name')} id={`name-${key}`} class="grow">
          <input
            id={`name-${key}`}
            value={name}
            disabled={isFixed}
            aria-invalid={faultOf('name') !== undefined}
            aria-describedby={`name-${key}-fault`}
            onInput={({ currentTarget }) => edit(upload, { name: currentTarget.value })}
          />
        </Field>
        <Field label={words.upload.type} fault={faultOf('message_type')} id={`type-${key}`}>
          <TypeChoice
            id={`type-${key}`}
            value={type}
            isFixed={isFixed}
            isWrong={faultOf('message_type') !== undefined}
            choose={(chosen) => edit(upload, { type: chosen })}
          />
        </Field>
        {(hasUnits(unit) || faultOf('org_unit_id') !== undefined) && (
          <Field label={words.upload.unit} fault={faultOf('org_unit_id')} id={`unit-${key}`} class="unit">
            <UnitChoice
              id={`unit-${key}`}
              value={unit}
              isFixed={isFixed}
              isWrong={faultOf('org_unit_id') !== undefined}
              describedBy={`unit-${key}-fault`}
              choose={(chosen) => edit(upload, { unit: chosen })}
            />
          </Field>
        )}
      </div>
      <div class="line-state">
        <p class="file-name muted">
          {file.name} · {asBytes(file.size)}
        </p>
        <Progress line={line} />
        <p class="state">{textOf(line)}</p>
        <Buttons upload={upload} />
      </div>
      {(others.length > 0 || line.message !== '') && (
        <div class="fault" role="alert">
          {others.map(({ code, message }) => (
            <p key={code}>{message}</p>
          ))}
          {line.message !== '' && <p>{line.message}</p>}
        </div>
      )}
    </li>
  );
}

interface FieldProps {
  readonly label: string;
  readonly id: string;
  readonly fault: string | undefined;
  readonly class?: string;
  readonly children: ComponentChildren;
}

function Field({ label, id, fault, class: name = '', children }: FieldProps) {
  return (
    <div class={`field ${name}`}>
      <label for={id}>{label}</label>
      {children}
      <p id={`${id}-fault`} class="fault" role="alert">
        {fault}
      </p>
    </div>
  );
}

function textOf({ state, sentBytes, allBytes, bytesPerSecond }: Upload): string {
  const { states, speed } = words.upload;
  if (state !== 'sending') return states[state];
  if (allBytes > 0 && sentBytes >= allBytes) return states.checking;
  return states.sending(asShare(allBytes > 0 ? sentBytes / allBytes : 0), speed(asBytes(bytesPerSecond)));
}

function Progress({ line }: { line: Upload }) {
  if (line.state !== 'sending') return null;
  return (
    <progress aria-label={words.upload.progress(line.name)} value={line.sentBytes} max={line.allBytes} />
  );
}

function Buttons({ upload }: { upload: Signal<Upload> }) {
  const { state, name, promptId } = upload.value;
  const { upload: texts } = words;
  return (
    <div class="line-buttons">
      {(state === 'waiting' || state === 'sending') && (
        <button type="button" aria-label={texts.cancel(name)} onClick={() => cancel(upload)}>
          {words.cancel}
        </button>
      )}
      {(state === 'failed' || state === 'cancelled') && (
        <button type="button" aria-label={texts.retryOne(name)} onClick={() => start([upload])}>
          {texts.retry}
        </button>
      )}
      {state === 'done' && promptId !== null && (
        <button
          type="button"
          aria-label={texts.listenTo(name)}
          onClick={() => go({ view: 'prompts', prompt: promptId })}
        >
          {texts.listen}
        </button>
      )}
      {state !== 'waiting' && state !== 'sending' && (
        <button type="button" class="quiet" aria-label={texts.removeOne(name)} onClick={() => drop(upload)}>
          {texts.remove}
        </button>
      )}
    </div>
  );
}
