import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { go, place } from './address.ts';
import { asMoment } from './format.ts';
import { ListView } from './list-view.tsx';
import { notice } from './notices.ts';
import { forget } from './prompts.ts';
import { isExpired, mayWrite, session, signOut } from './session.ts';
import { SignIn } from './sign-in.tsx';
import { unitText } from './units.ts';
import { UploadView } from './upload-view.tsx';
import { addFiles, forgetUploads, running } from './uploads.ts';
import { words } from './words.ts';

export function App() {
  const content = useRef<HTMLElement>(null);
  if (session.value === null) return <SignIn />;
  return (
    <>
      <button type="button" class="skip" onClick={() => content.current?.focus()}>
        {words.header.skip}
      </button>
      <Header />
      <main ref={content} tabIndex={-1} class="content">
        {place.value.view === 'upload' ? <UploadView /> : <ListView />}
      </main>
      {isExpired.value && <SignIn />}
      <DropZone />
      <p class="notice" role="status">
        {notice.value !== '' && <span>{notice}</span>}
      </p>
    </>
  );
}

function Header() {
  const { value: who } = session;
  if (who === null) return null;
  const leave = () => {
    signOut();
    forget();
    forgetUploads();
  };
  return (
    <header class="bar">
      <p class="brand">
        <Mark />
        <span>{words.product}</span>
      </p>
      <nav aria-label={words.header.navigation}>
        <Tab view="prompts">{words.header.prompts}</Tab>
        <Tab view="upload">
          {words.header.upload}
          {running.value > 0 && <span class="count">{words.header.running(running.value)}</span>}
        </Tab>
      </nav>
      <p class="who" title={words.header.until(asMoment(who.expiresAt))}>
        <span>{words.header.who(who.userId, unitText(who.orgUnitId))}</span>
        <span class="chip">{words.header.roles[who.role]}</span>
      </p>
      <button type="button" class="quiet" onClick={leave}>
        {words.header.signOut}
      </button>
    </header>
  );
}

function Tab({ view, children }: { view: 'prompts' | 'upload'; children: ComponentChildren }) {
  const isHere = place.value.view === view;
  const visit = (event: Event) => {
    event.preventDefault();
    go({ view });
  };
  return (
    <a
      href={view === 'upload' ? '#view=upload' : '#'}
      aria-current={isHere ? 'page' : undefined}
      onClick={visit}
    >
      {children}
    </a>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <rect width="32" height="32" rx="8" class="mark-ground" />
      <path d="M6 13v6M11 9v14M16 12v8M21 7v18M26 14v4" class="mark-line" />
    </svg>
  );
}

/** Files may be dropped anywhere. What is dragged over the page is shown where it would go. */
function DropZone() {
  const depth = useSignal(0);
  useEffect(() => {
    if (!mayWrite()) return undefined;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    const enter = (event: DragEvent) => {
      if (hasFiles(event)) depth.value += 1;
    };
    const leave = (event: DragEvent) => {
      if (hasFiles(event)) depth.value -= 1;
    };
    const over = (event: DragEvent) => {
      if (hasFiles(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth.value = 0;
      addFiles([...(event.dataTransfer?.files ?? [])]);
      go({ view: 'upload' });
    };
    const listeners = { dragenter: enter, dragleave: leave, dragover: over, drop } as const;
    for (const [name, listener] of Object.entries(listeners)) {
      window.addEventListener(name, listener as EventListener);
    }
    return () => {
      for (const [name, listener] of Object.entries(listeners)) {
        window.removeEventListener(name, listener as EventListener);
      }
    };
  }, [session.value?.token]);
  if (depth.value <= 0) return null;
  return (
    <div class="drop-everywhere" aria-hidden="true">
      {words.upload.dropAnywhere}
    </div>
  );
}
