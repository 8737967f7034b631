import { readFile } from 'node:fs/promises';
import { describe, expect } from 'vitest';
import { fixture } from '../support/multipart.ts';
import { CLIENT_FILE, clientSource } from '../support/openapi-files.ts';
import { type TestService, test, token } from '../support/service.ts';
import {
  changeMedia,
  deleteMedia,
  deletePrompt,
  getMedia,
  getMediaContent,
  getPrompt,
  listMedia,
  listPrompts,
  uploadMedia,
  uploadPrompt,
} from './api.ts';

const to = (service: TestService, bearer = token()) => ({
  baseUrl: service.base,
  headers: { authorization: `Bearer ${bearer}` },
});

const tone = () => new File([fixture('tone.wav')], 'tone.wav', { type: 'audio/wav' });

/** What an operation answers with one status, by the types that the document gave it. */
function answered<Answer extends { readonly status: number }, const Status extends Answer['status']>(
  answer: Answer,
  status: Status,
): Extract<Answer, { readonly status: Status }> {
  expect(answer).toMatchObject({ status });
  // Checked the line before.
  return answer as Extract<Answer, { readonly status: Status }>;
}

describe('a client that a generator makes of the API document', () => {
  test('is the one that is committed', async () => {
    // npm run openapi writes it.
    expect(await readFile(CLIENT_FILE, 'utf8')).toBe(await clientSource());
  });

  test('uploads, lists, gets and deletes through v3', async ({ service }) => {
    const form = { file: tone(), name: 'Generated', message_type: 'whisper', org_unit_id: 1 } as const;
    const { data } = answered(await uploadPrompt(form, to(service)), 201);
    expect(data).toMatchObject({ code: 200, message: 'Success' });
    const { media_prompt_id: id } = data.data;
    expect(data.data).toMatchObject({
      name: 'Generated',
      message_type: 'whisper',
      original_filename: 'tone.wav',
      content_type: 'audio/wav',
    });

    const query = { name: 'GENER', messageType: 'whisper', limit: 1, sortBy: 'name' } as const;
    const list = answered(await listPrompts(query, to(service)), 200);
    expect(list.data.data).toEqual({ media_prompts: [data.data], total: 1, next_cursor: null });
    const got = answered(await getPrompt(id, to(service)), 200).data.data;
    expect(got).toMatchObject(data.data);
    expect(got.renditions.map(({ rendition }) => rendition)).toContain('pcm8k');

    const deleted = answered(await deletePrompt(id, to(service)), 200);
    expect(deleted.data.data).toEqual({ media_prompt_id: id });
    const gone = answered(await getPrompt(id, to(service)), 404);
    expect(gone.data.errors).toMatchObject([{ field: 'media_prompt_id', code: 'not_found' }]);
  });

  test('uploads a nameless Blob through v3', async ({ service }) => {
    const form = { file: new Blob([fixture('tone.mp3')]), name: 'Blob', message_type: 'prompt' } as const;
    const { data } = answered(await uploadPrompt(form, to(service)), 201);
    expect(data.data.content_type).toBe('audio/mpeg');
  });

  test('uploads, lists, changes, plays and deletes through v1', async ({ service }) => {
    const form = { File: tone(), Description: 'Made by a machine' };
    const { data: media } = answered(await uploadMedia(form, to(service)), 201);
    expect(media).toMatchObject({ originalFileName: 'tone.wav', description: 'Made by a machine' });

    const list = answered(await listMedia({ page: 1, pageSize: 1 }, to(service)), 200);
    expect(list.data).toEqual([media]);
    const changed = answered(await changeMedia(media.id, { description: null }, to(service)), 200);
    expect(changed.data).toEqual({ ...media, description: null });
    expect(answered(await getMedia(media.id, to(service)), 200).data).toEqual(changed.data);
    expect((await getMediaContent(media.id, to(service))).status).toBe(200);

    answered(await deleteMedia(media.id, to(service)), 204);
    const gone = answered(await getMedia(media.id, to(service)), 404);
    expect(gone.data).toMatchObject({ status: 404, title: 'Not Found' });
  });

  test('reads the refusals of both dialects', async ({ service }) => {
    const reader = to(service, token({ role: 'read_only' }));
    const v3 = answered(
      await uploadPrompt({ file: tone(), name: 'No', message_type: 'prompt' }, reader),
      403,
    );
    expect(v3.data).toMatchObject({ code: 403, data: null });
    const v1 = answered(await uploadMedia({ File: tone() }, reader), 403);
    expect(v1.data).toMatchObject({ status: 403, title: 'Forbidden' });
    const untyped = { File: new Blob([fixture('tone.wav')]) };
    const refused = answered(await uploadMedia(untyped, to(service)), 400);
    expect(Object.keys(refused.data.errors ?? {})).toEqual(['File']);
  });
});
