import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { noise } from '../test/support/wav.ts';
import { loadSection, type Measured, type Result, type Row, type Section, say } from './figures.ts';
import { brief, measureReading, measureUploads } from './measure.ts';
import { type OurService, startService } from './our-service.ts';
import { need, onStage, type Stage } from './processes.ts';
import { inRounds, ratio } from './rounds.ts';
import { SMALL } from './upload-run.ts';
import { type UploadTarget, uploadsTo } from './upload-targets.ts';

/** More than fit into the time for which uploads may hold conversions up, so that some run beside them. */
const FULL = { rounds: 7, crowds: [1, 8], files: 2_400 } as const;
const QUICK = { rounds: 1, crowds: [1], files: 4 } as const;
const READING = { rounds: 9, seconds: 3 } as const;
const QUICK_READING = { rounds: 1, seconds: 0.2 } as const;

const RENDERING = { env: { RENDITION_ENGINE: 'ffmpeg' } } as const;

/** A service to upload to, and when it has nothing left to do. */
interface Maker {
  readonly target: UploadTarget;
  untilIdle(): Promise<void>;
}

/** What uploads wait for a service that makes renditions of what came before, and one that makes none. */
export async function benchRenditions({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const ffmpeg = await need('ffmpeg', '-version', 'ffmpeg');
  const { rounds, crowds, files } = isQuick ? QUICK : FULL;
  return await onStage(async (stage) => {
    const file = join(stage.folder, 'small.wav');
    await writeFile(file, noise(SMALL, 1));
    say('renditions: starting a service with and one without');
    const [making, none] = await Promise.all([start(stage, 'ffmpeg'), start(stage, 'off')]);
    const makers: Readonly<Record<string, Maker>> = { 'with renditions': making, without: none };
    const sections: Section[] = [];
    const ratios: Row[] = [];
    for (const connections of crowds) {
      const title = `200 KB, c=${connections}`;
      const found = await inRounds(
        { title, rounds, warmUp: !isQuick },
        Object.keys(makers),
        (name) => uploadAndSettle(makers[name], { file, size: SMALL, connections, count: files }),
        brief,
      );
      sections.push(
        loadSection(`Uploads of ${title}, while renditions of the last ones are made`, found, {
          withGb: false,
        }),
      );
      ratios.push(
        ...ratio<Measured>(found['with renditions'] ?? [], found['without'], {
          ...(connections === 1 && { id: 'R1', most: 1.05 }),
          name: `${title}: time to the answer (p50), with renditions ÷ without`,
          figure: ({ p50 }) => p50,
        }),
      );
    }
    const hot = await benchPlayback(stage, file, isQuick);
    return {
      sections: [...sections, hot.section],
      ratios: [...ratios, ...hot.ratios],
      notes: [ffmpeg],
    };
  });
}

/** A rendition that is hot against the original that is, of nearly one size. */
async function benchPlayback(
  stage: Stage,
  file: string,
  isQuick: boolean,
): Promise<{ readonly section: Section; readonly ratios: readonly Row[] }> {
  const service = await stage.keep(startService(join(stage.folder, 'playing'), RENDERING));
  const urls = await hotUrls(service, await readFile(file));
  const { rounds, seconds } = isQuick ? QUICK_READING : READING;
  const title = '200 KB, c=16';
  const found = await inRounds(
    { title, rounds, warmUp: !isQuick },
    Object.keys(urls) as (keyof typeof urls)[],
    (name) => measureReading([service.pid], { ...urls[name], connections: 16, seconds, headers: {} }),
    brief,
  );
  return {
    section: loadSection(`GET of what is hot, ${title}`, found, { withGb: false }),
    ratios: ratio<Measured>(found['pcm8k'], found['original'], {
      id: 'R2',
      least: 0.95,
      name: 'GET of a hot rendition ÷ of its original, requests/s',
      figure: ({ requestsPerSecond }) => requestsPerSecond,
    }),
  };
}

async function start(stage: Stage, engine: 'ffmpeg' | 'off'): Promise<Maker> {
  const service = await stage.keep(
    startService(join(stage.folder, engine), { env: { RENDITION_ENGINE: engine } }),
  );
  return { target: uploadsTo(service), untilIdle: () => idle(service) };
}

/** Leaves an empty service with nothing to do, so that it takes nothing from whoever is measured next. */
async function uploadAndSettle(
  maker: Maker | undefined,
  work: Pick<Parameters<typeof measureUploads>[1], 'file' | 'size' | 'connections' | 'count'>,
): Promise<Measured> {
  if (maker === undefined) throw new Error('no such service');
  const { target, untilIdle } = maker;
  const { measured, report } = await measureUploads(target.roots, { ...target.load, ...work });
  await target.clear(report);
  await untilIdle();
  return measured;
}

/** Where an upload and its rendition of 8 kHz are, once both were asked for often enough to be hot. */
async function hotUrls({ base, token }: OurService, bytes: Buffer) {
  const form = new FormData();
  form.set('name', 'hot');
  form.set('message_type', 'prompt');
  form.set('file', new Blob([new Uint8Array(bytes)]), 'hot.wav');
  const answer = await fetch(`${base}/v3/media-prompts`, {
    method: 'POST',
    body: form,
    headers: { authorization: `Bearer ${token}` },
  });
  const { data } = (await answer.json()) as { data: { url: string } };
  const original = base + data.url;
  const rendition = original.replace(/\.wav$/, '-pcm8k.wav');
  return { original: await hot(original), pcm8k: await hot(rendition) };
}

async function hot(url: string): Promise<{ readonly url: string; readonly length: number }> {
  for (let times = 0; ; times += 1) {
    const answer = await fetch(url);
    const { byteLength } = await answer.arrayBuffer();
    if (answer.status === 503) await delay(Number(answer.headers.get('retry-after')) * 1_000);
    else if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
    else if (times > 3) return { url, length: byteLength };
  }
}

async function idle({ base }: OurService): Promise<void> {
  for (;;) {
    const figures = await (await fetch(`${base}/metrics`)).text();
    if (/^media_prompts_rendering 0$/m.test(figures)) return;
    await delay(50);
  }
}
