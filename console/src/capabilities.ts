import { computed, effect, signal } from '@preact/signals';
import { ask, type Capabilities } from './api.ts';
import { isExpired, session } from './session.ts';

/** What the service can do, once it said so. Nothing waits for it: without, its own refusals tell the same. */
export const capabilities = signal<Capabilities | null>(null);
/** Does it measure what is uploaded, as far as is known? */
export const isMeasuring = computed(() => capabilities.value?.converter !== 'none');

effect(() => {
  if (session.value === null || isExpired.value || capabilities.peek() !== null) return;
  ask<Capabilities>('/capabilities').then(
    (answer) => {
      capabilities.value = answer;
    },
    () => undefined,
  );
});
