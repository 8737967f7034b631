import { test as base, startService, type TestService } from '../support/service.ts';

/** Bytes of audio that are kept in memory: a recording may take at most half of it. */
export const SMALL_MEMORY = { PLAYBACK_CACHE_BYTES: '2000000' } as const;

/** `service` is one for the whole file that keeps short recordings in memory, and none of 1 MB or more. */
export const test = base.extend<{ service: TestService }>({
  service: [
    // biome-ignore lint/correctness/noEmptyPattern: the first parameter of a fixture is the fixtures it uses.
    async ({}, use) => {
      const service = await startService(SMALL_MEMORY);
      await use(service);
      await service.close();
    },
    { scope: 'file' },
  ],
});
