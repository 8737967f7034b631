import { useRef } from 'preact/hooks';
import { capabilities } from './capabilities.ts';
import { asBytes } from './format.ts';
import { mayWrite } from './session.ts';
import { TypeChoice } from './type-choice.tsx';
import { hasUnits, UnitChoice } from './unit-choice.tsx';
import { UploadLine } from './upload-line.tsx';
import {
  addFiles,
  clearFinished,
  failed,
  finished,
  newType,
  newUnit,
  retryAll,
  startAll,
  startable,
  uploads,
} from './uploads.ts';
import { words } from './words.ts';

/** What the choice of files offers; what is in a file decides. */
const ACCEPTED = 'audio/*,.wav,.mp3,.mp4,.ogg,.webm,.m4a,.aac,.flac';
const DEFAULT_LIMIT = 52_428_800;

export function UploadView() {
  const { upload } = words;
  if (!mayWrite()) {
    return (
      <section class="uploads">
        <h1>{upload.title}</h1>
        <p class="banner">{upload.readOnly}</p>
      </section>
    );
  }
  return (
    <section class="uploads">
      <h1>{upload.title}</h1>
      <Choice />
      {uploads.value.length > 0 && (
        <>
          <ul class="lines" aria-label={upload.list}>
            {uploads.value.map((each) => (
              <UploadLine key={each.peek().key} upload={each} />
            ))}
          </ul>
          <Actions />
        </>
      )}
    </section>
  );
}

function Choice() {
  const { upload } = words;
  const files = useRef<HTMLInputElement>(null);
  const take = () => {
    if (files.current === null) return;
    addFiles([...(files.current.files ?? [])]);
    // The same file can be chosen once more.
    files.current.value = '';
  };
  const most = capabilities.value?.limits.max_upload_bytes ?? DEFAULT_LIMIT;
  return (
    <>
      <div class="drop">
        <p class="drop-title">{upload.drop}</p>
        <p class="muted">{upload.or}</p>
        <input
          ref={files}
          id="files"
          class="unseen"
          type="file"
          multiple
          accept={ACCEPTED}
          aria-describedby="formats"
          onChange={take}
        />
        <label for="files" class="button primary">
          {upload.choose}
        </label>
        <p id="formats" class="hint">
          {upload.formats(asBytes(most))}
        </p>
      </div>
      <div class="defaults">
        <label class="field" for="new-type">
          <span>{upload.newType}</span>
          <TypeChoice
            id="new-type"
            value={newType.value}
            choose={(type) => {
              newType.value = type;
            }}
          />
        </label>
        {hasUnits(newUnit.value) && (
          <div class="field unit">
            <label for="new-unit">{upload.newUnit}</label>
            <UnitChoice
              id="new-unit"
              value={newUnit.value}
              choose={(chosen) => {
                newUnit.value = chosen;
              }}
            />
          </div>
        )}
      </div>
    </>
  );
}

function Actions() {
  const { upload } = words;
  return (
    <div class="actions">
      {startable.value > 0 && (
        <button type="button" class="primary" onClick={startAll}>
          {upload.start(startable.value)}
        </button>
      )}
      {failed.value > 0 && (
        <button type="button" onClick={retryAll}>
          {upload.retryAll(failed.value)}
        </button>
      )}
      {finished.value > 0 && (
        <button type="button" class="quiet" onClick={clearFinished}>
          {upload.clear}
        </button>
      )}
    </div>
  );
}
