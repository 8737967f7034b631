import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, vi } from 'vitest';
import { RENDITIONS } from '../../src/audio/renditions.ts';
import { promptForm } from './multipart.ts';
import { startService, type TestService } from './service.ts';

// A converter has a low priority, and other tests run beside it.
vi.setConfig({ testTimeout: 300_000 });

/** What is waited for a conversion on a busy machine, ms. */
export const PATIENCE = { timeout: 150_000, interval: 50 };

export const KINDS = Object.keys(RENDITIONS) as (keyof typeof RENDITIONS)[];

/** A service that makes renditions with the ffmpeg of this machine; it ends with the test. */
export async function startRendering(
  env: Readonly<Record<string, string>> = {},
  overrides: Parameters<typeof startService>[1] = {},
): Promise<TestService> {
  const service = await startService({ RENDITION_ENGINE: 'ffmpeg', ...env }, overrides);
  onTestFinished(() => service.close());
  return service;
}

/** An uploaded prompt: its ID and the name of its recording. */
export interface Uploaded {
  readonly id: number;
  readonly name: string;
}

export async function uploadPrompt(service: TestService, name: string): Promise<Uploaded> {
  const { status, body } = await service.upload(promptForm(name));
  expect(status).toBe(201);
  return { id: body.data.media_prompt_id, name: body.data.recording_name };
}

/** The path of a rendition, which the prompt's own url says the beginning of. */
export const pathOf = (recordingName: string, kind: keyof typeof RENDITIONS): string =>
  `/uploads/call-flow-recordings/${recordingName}-${kind}.${RENDITIONS[kind].extension}`;

/** The states of all renditions, in the order of the table. */
export async function statesOf(service: TestService, id: number): Promise<readonly string[]> {
  const { renditions } = await service.library.getWithAudio({ orgUnitId: 1 }, { id });
  return renditions.map(({ state }) => state);
}

export const ALL_READY = KINDS.map(() => 'ready');

/** Resolves when every rendition of a prompt is there. */
export async function untilReady(service: TestService, id: number): Promise<void> {
  await expect.poll(() => statesOf(service, id), PATIENCE).toEqual(ALL_READY);
}

/** Asks for the bytes of a rendition as an engine does, and again as long as they are not made yet. */
export async function play(
  service: TestService,
  recordingName: string,
  kind: keyof typeof RENDITIONS,
): Promise<{ readonly status: number; readonly type: string | null; readonly bytes: Buffer }> {
  const answer = await fetch(service.base + pathOf(recordingName, kind));
  if (answer.status === 503) {
    await answer.arrayBuffer();
    await delay(Number(answer.headers.get('retry-after')) * 1000);
    return await play(service, recordingName, kind);
  }
  const bytes = Buffer.from(await answer.arrayBuffer());
  return { status: answer.status, type: answer.headers.get('content-type'), bytes };
}

/** How many rows there are in the tables that renditions concern. */
export async function countRows(service: TestService): Promise<Readonly<Record<string, number>>> {
  const [row] = await service.rows<Record<string, number>>(`select
    (select count(*)::int from renditions) as renditions,
    (select count(*)::int from audio_reports) as reports,
    (select count(*)::int from rendition_jobs) as jobs,
    (select count(*)::int from blobs where state = 'kept') as kept,
    (select count(*)::int from blobs where state <> 'kept') as loose`);
  return row ?? {};
}
