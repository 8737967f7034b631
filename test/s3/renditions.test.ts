import { expect, test } from 'vitest';
import { RENDITIONS } from '../../src/audio/renditions.ts';
import { verify } from '../../src/library/verify.ts';
import { KINDS, PATIENCE, play, startRendering, untilReady, uploadPrompt } from '../support/rendering.ts';
import { audioBelow, createStore, newPrefix, settingsFor } from './bucket.ts';

test('renditions are made from what lies in a bucket, come there, and go with their prompt', async () => {
  const prefix = newPrefix();
  const service = await startRendering({ ...settingsFor(prefix), UPLOAD_LEASE_SECONDS: '10' });
  const { id, name } = await uploadPrompt(service, 'Menu');
  await untilReady(service, id);
  expect(await audioBelow(prefix)).toHaveLength(1 + KINDS.length);
  for (const kind of KINDS) {
    expect(await play(service, name, kind)).toMatchObject({
      status: 200,
      type: RENDITIONS[kind].contentType,
    });
  }
  const { store } = await createStore({ prefix });
  for await (const finding of verify(service.db, store, { deep: true })) expect(finding).toBeUndefined();

  // One whose object is gone is made again for whoever asks.
  const [lost = ''] = (await audioBelow(prefix)).filter((key) => key.endsWith('.g722'));
  await store.remove([lost]);
  await expect.poll(async () => (await play(service, name, 'g722')).status, PATIENCE).toBe(200);

  expect((await service.call('DELETE', `/v3/media-prompts/${id}`)).status).toBe(200);
  await expect.poll(() => audioBelow(prefix), PATIENCE).toEqual([]);
  await expect.poll(() => service.rows('select name from blobs'), PATIENCE).toEqual([]);
});
