import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { go } from './address.ts';
import { ask, type Prompt, Refusal } from './api.ts';
import { tell } from './notices.ts';
import { reload } from './prompts.ts';
import { words } from './words.ts';

/** Asks once more, by the name of what would be gone. */
export function RemoveDialog({ prompt, onClose }: { prompt: Prompt; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const isBusy = useSignal(false);
  const fault = useSignal('');
  useEffect(() => dialog.current?.showModal(), []);
  const remove = async () => {
    isBusy.value = true;
    try {
      await ask(`/media-prompts/${prompt.media_prompt_id}`, { method: 'DELETE' });
    } catch (error) {
      // Gone is what was wanted.
      if (!(error instanceof Refusal && error.status === 404)) {
        fault.value = error instanceof Error ? error.message : String(error);
        isBusy.value = false;
        return;
      }
    }
    tell(words.remove.done(prompt.name));
    go({ prompt: null }, { isStep: false });
    reload();
    document.querySelector('main')?.focus();
  };
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="remove-title"
      aria-describedby="remove-body"
      onClose={onClose}
    >
      <h2 id="remove-title">{words.remove.title}</h2>
      <p id="remove-body">{words.remove.body(prompt.name)}</p>
      <p class="fault" role="alert">
        {fault}
      </p>
      <div class="choices">
        <button type="button" onClick={() => dialog.current?.close()}>
          {words.cancel}
        </button>
        <button type="button" class="primary is-danger" disabled={isBusy} onClick={remove}>
          {isBusy.value ? words.remove.busy : words.remove.button}
        </button>
      </div>
    </dialog>
  );
}
