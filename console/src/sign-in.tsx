import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { codeIn } from './address.ts';
import { ask, exchange, type Page, Refusal } from './api.ts';
import { begin, isExpired, readToken } from './session.ts';
import { words } from './words.ts';

const fault = signal('');
const isBusy = signal(false);
const isByLink = signal(false);

/** Signs in by the one-time code of a link; what is wrong with it is shown at the form. */
export async function signInByCode(code: string): Promise<void> {
  isByLink.value = true;
  await trying(async () => enter(await exchange(code)));
  isByLink.value = false;
}

async function trying(work: () => Promise<void>): Promise<void> {
  isBusy.value = true;
  fault.value = '';
  try {
    await work();
  } catch (error) {
    fault.value = error instanceof Error ? error.message : String(error);
  }
  isBusy.value = false;
}

/** @throws Error that says what is wrong with the token */
async function enter(text: string): Promise<void> {
  const token = text.replace(/^bearer\s+/i, '').trim();
  if (token === '') throw new Error(words.signIn.empty);
  const next = readToken(token);
  if (next === undefined) throw new Error(words.signIn.noToken);
  await ask<Page>('/media-prompts?limit=1', { token }).catch((error: unknown) => {
    throw error instanceof Refusal && error.status === 401 ? new Error(words.signIn.refused) : error;
  });
  begin(next);
}

/** Fills the page for who comes, and lies over it for whose token has expired. */
export function SignIn() {
  if (!isExpired.value) {
    return (
      <main class="door">
        <SignInForm heading={words.signIn.title} intro={words.signIn.intro} />
      </main>
    );
  }
  return <DoorAgain />;
}

function DoorAgain() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="sign-in"
      onCancel={(event) => event.preventDefault()}
    >
      <SignInForm heading={words.signIn.title} intro={words.signIn.again} />
    </dialog>
  );
}

function SignInForm({ heading, intro }: { heading: string; intro: string }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const given = field.current?.value ?? '';
    const code = codeIn(given);
    void trying(async () => enter(code === undefined ? given : await exchange(code))).then(() => {
      if (fault.peek() !== '') field.current?.focus();
    });
  };
  return (
    <form class="sign-in" onSubmit={submit} noValidate>
      <h1 id="sign-in">{heading}</h1>
      <p class="muted">{intro}</p>
      <label for="token">{words.signIn.label}</label>
      <input
        ref={field}
        id="token"
        type="password"
        autocomplete="off"
        spellcheck={false}
        aria-describedby="token-fault token-hint"
        aria-invalid={fault.value !== ''}
      />
      <p id="token-fault" class="fault" role="alert">
        {fault}
      </p>
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy.value ? (isByLink.value ? words.signIn.byLink : words.signIn.checking) : words.signIn.button}
      </button>
      <div id="token-hint" class="hint">
        <p>{words.signIn.hint}</p>
        <pre>{words.signIn.commands}</pre>
        <p>{words.signIn.privacy}</p>
      </div>
    </form>
  );
}
