import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { noise } from '../test/support/wav.ts';
import { loadSection, type Measured, type Result, type Row, type Section, say } from './figures.ts';
import { brief, measureUploads } from './measure.ts';
import { type OurService, startService } from './our-service.ts';
import { need, onStage, type Stage } from './processes.ts';
import { inRounds, ratio } from './rounds.ts';
import { SMALL } from './upload-run.ts';
import { type UploadTarget, uploadsTo } from './upload-targets.ts';

const FULL = { rounds: 5, crowds: [1, 8], files: 800 } as const;
const QUICK = { rounds: 1, crowds: [1], files: 4 } as const;

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
    return { sections, ratios, notes: [ffmpeg] };
  });
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

async function idle({ base }: OurService): Promise<void> {
  for (;;) {
    const figures = await (await fetch(`${base}/metrics`)).text();
    if (/^media_prompts_rendering 0$/m.test(figures)) return;
    await delay(50);
  }
}
