import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { PromptWithAudio, Report } from './api.ts';
import { isMeasuring } from './capabilities.ts';
import { EnginePanel } from './engine-panel.tsx';
import { asBytes, asDuration, asFormat, asMoment, asTenths } from './format.ts';
import { copy } from './notices.ts';
import { Player } from './player.tsx';
import { RemoveDialog } from './remove-dialog.tsx';
import { mayWrite } from './session.ts';
import { unitText } from './units.ts';
import { words } from './words.ts';

/** All that is known of a prompt, and what can be done with it. */
export function Body({ prompt }: { prompt: PromptWithAudio }) {
  const { details } = words;
  const isRemoving = useSignal(false);
  const address = new URL(prompt.url, location.href).href;
  return (
    <>
      <Player prompt={prompt}>
        <h2 tabIndex={-1}>{prompt.name}</h2>
        <p class="muted under-title">
          <span class={`chip is-${prompt.message_type}`}>{words.types[prompt.message_type]}</span>
          {asDuration(prompt.duration_ms)} · {asMoment(prompt.created_on)}
        </p>
      </Player>
      <Measured report={prompt.audio_report} />
      <div class="copies">
        <button type="button" onClick={() => copy(String(prompt.media_prompt_id), details.id)}>
          {details.copyId} <span class="muted">{prompt.media_prompt_id}</span>
        </button>
        <button type="button" onClick={() => copy(address, details.url)}>
          {details.copyUrl}
        </button>
      </div>
      <EnginePanel id={prompt.media_prompt_id} unavailable={unavailableOf(prompt)} />
      <Facts prompt={prompt} />
      {mayWrite() && (
        <p class="end">
          <button type="button" class="danger" onClick={() => (isRemoving.value = true)}>
            {details.delete}
          </button>
        </p>
      )}
      {isRemoving.value && <RemoveDialog prompt={prompt} onClose={() => (isRemoving.value = false)} />}
    </>
  );
}

/** Why this service makes no renditions, where it makes none. */
function unavailableOf({ renditions }: PromptWithAudio): string | null {
  const [first] = renditions;
  return first !== undefined && renditions.every(({ state }) => state === 'unavailable')
    ? (first.reason ?? words.player.noPhone(null))
    : null;
}

function Measured({ report }: { report: Report | null }) {
  const { details } = words;
  if (report === null) {
    return <p class="muted measured">{isMeasuring.value ? details.measuring : details.notMeasured}</p>;
  }
  const { loudness_lufs: loudness, true_peak_dbtp: peak } = report;
  const silences = [report.leading_silence_ms, report.trailing_silence_ms].map(asDuration);
  return (
    <section class="measured" aria-label={details.sound}>
      <dl class="figures">
        <Fact name={details.loudness}>
          {loudness === null ? details.silent : details.lufs(asTenths(loudness))}
        </Fact>
        <Fact name={details.peak}>{peak === null ? details.silent : details.dbtp(asTenths(peak))}</Fact>
        <Fact name={details.silence}>{details.silences(silences[0] ?? '', silences[1] ?? '')}</Fact>
      </dl>
      {report.warnings.length > 0 && (
        <ul class="warnings">
          {report.warnings.map(({ code, message }) => (
            <li key={code}>
              <strong class="warning">{words.warnings[code] ?? code}</strong> {message}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Facts({ prompt }: { prompt: PromptWithAudio }) {
  const { details } = words;
  const by = prompt.recording_created_by;
  return (
    <details class="facts">
      <summary>{details.facts}</summary>
      <dl>
        <Fact name={details.id}>{prompt.media_prompt_id}</Fact>
        <Fact name={details.url}>{prompt.url}</Fact>
        <Fact name={details.unit}>{unitText(prompt.org_unit_id)}</Fact>
        <Fact name={details.created}>
          {asMoment(prompt.created_on)} {by !== null && details.by(by)}
        </Fact>
        {prompt.original_filename !== null && <Fact name={details.file}>{prompt.original_filename}</Fact>}
        <Fact name={details.format}>
          {prompt.container} · {asFormat(prompt)}
        </Fact>
        <Fact name={details.size}>{asBytes(prompt.file_size)}</Fact>
        {prompt.description !== null && <Fact name={details.description}>{prompt.description}</Fact>}
        <Fact name={details.checksum}>{prompt.sha256}</Fact>
      </dl>
    </details>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
