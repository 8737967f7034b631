import { expect } from 'vitest';
import { openUpload } from '../support/raw-upload.ts';
import { test } from '../support/service.ts';

const refused = {
  'without a valid token': [{ token: 'no.valid.token' }, 401, 401],
  'with a body that is no form': [{ contentType: 'application/json' }, 400, 415],
  'with a body of no type': [{ contentType: '' }, 400, 415],
  'with a body that is too large': [{ padding: 54_000_000 }, 400, 413],
} as const;
for (const [what, [options, v3, v1]] of Object.entries(refused)) {
  for (const [path, status] of [
    ['/v3/media-prompts', v3],
    ['/api/v1/media', v1],
  ] as const) {
    test(`a client that asks before it sends is refused and never told to go on, ${what}: ${path}`, async ({
      service,
    }) => {
      const { answer } = await openUpload(service, 'x', {
        headers: ['Expect: 100-continue'],
        ...options,
        path,
      });
      expect(await answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    });
  }
}
