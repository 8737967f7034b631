import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import type { FactsReport } from './facts-probe.ts';
import { type Result, type Row, say } from './figures.ts';
import { type LongFile, makeLongFiles } from './long-files.ts';
import type { LoopReport } from './loop-probe.ts';
import { type OurService, startService } from './our-service.ts';
import { need, onStage, output } from './processes.ts';
import { inRounds } from './rounds.ts';
import { uploadTo } from './upload-run.ts';
import { uploadsTo } from './upload-targets.ts';

/** Of the sources, since the build has it in one piece with other things; what it runs is the same. */
const INSPECTOR = 'src/audio/inspector.ts';
const SHORT = 'test/fixtures/tone.wav';

/** One file, looked at by the inspector alone, and as it comes as an upload. */
interface Seen {
  readonly alone: FactsReport;
  readonly uploading: LoopReport;
}

/**
 * What it costs to find out what the largest files are and how long they last. The inspector works in threads of its
 * own, so that the main thread's share says how little an event loop feels of it and the whole what it costs.
 */
export async function benchFacts({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const rounds = isQuick ? 1 : 5;
  const ffmpeg = await need('ffmpeg', '-version', 'ffmpeg');
  return await onStage(async (stage) => {
    say('facts: making the files');
    const files = await makeLongFiles(stage.folder, { isQuick });
    const nodeOptions = ['--import', pathToFileURL(resolve('bench/loop-probe.ts')).href];
    const service = await stage.keep(startService(join(stage.folder, 'ours'), { nodeOptions }));
    const look = async (name: string): Promise<Seen> => {
      const file = files.find((candidate) => candidate.name === name);
      if (file === undefined) throw new Error(`there is no file ${name}`);
      return { alone: await inspectAlone(file), uploading: await inspectUploading(service, file) };
    };
    const found = await inRounds(
      { title: 'facts', rounds, warmUp: !isQuick },
      files.map(({ name }) => name),
      look,
      ({ alone, uploading }) =>
        `${alone.mainThread.toFixed(1)} ms of the main thread, gap while uploading ${uploading.longestGap.toFixed(1)} ms`,
    );
    const figures: Readonly<Record<string, (of: Seen) => number>> = {
      'main thread, CPU ms': ({ alone }) => alone.mainThread,
      'all threads, CPU ms': ({ alone }) => alone.allThreads,
      'took ms': ({ alone }) => alone.took,
      'longest gap ms': ({ alone }) => alone.longestGap,
      'uploading: main thread, CPU ms': ({ uploading }) => uploading.mainThread,
      'uploading: longest gap ms': ({ uploading }) => uploading.longestGap,
    };
    const section = {
      title: `Files of ${isQuick ? '1' : '49 to 51'} MB: the inspector alone, and the whole service while one is uploaded`,
      columns: Object.keys(figures),
      rows: Object.entries(found).map(([name, seen]) => ({
        name,
        cells: Object.values(figures).map((figure) => seen.map(figure)),
      })),
    };
    return { sections: [section], ratios: goalsOf(Object.values(found)), notes: [ffmpeg] };
  });
}

/** In each round the worst of all formats counts. */
function goalsOf(formats: readonly (readonly Seen[])[]): readonly Row[] {
  const worst = (figure: (of: Seen) => number) =>
    (formats[0] ?? []).map((_, round) =>
      Math.max(...formats.flatMap((seen) => (seen[round] === undefined ? [] : [figure(seen[round])]))),
    );
  return [
    {
      goal: { id: 'P1', name: 'facts of the worst format, CPU of the main thread, ms', most: 30 },
      ratios: worst(({ alone }) => alone.mainThread),
    },
    {
      goal: { id: 'P1', name: 'facts of the worst format, longest gap in the event loop, ms', most: 25 },
      ratios: worst(({ alone }) => alone.longestGap),
    },
    {
      goal: { id: 'P1', name: 'the same in the service while the file is uploaded, ms', most: 25 },
      ratios: worst(({ uploading }) => uploading.longestGap),
    },
    {
      goal: { name: 'facts of the worst format, CPU of all threads, ms' },
      ratios: worst(({ alone }) => alone.allThreads),
    },
  ];
}

async function inspectAlone(file: LongFile): Promise<FactsReport> {
  const report = await output([process.execPath, 'bench/facts-probe.ts', INSPECTOR, SHORT, file.path]);
  const [seen] = JSON.parse(report) as readonly FactsReport[];
  const facts = seen?.inspection.fit === true ? seen.inspection.facts : undefined;
  // ffmpeg counts a lead-in that is not played, and the last packet in part.
  const slack = 0.2 + file.seconds / 200;
  const isRight =
    facts?.container === file.container && Math.abs((facts.durationMs ?? 0) / 1000 - file.seconds) < slack;
  if (seen === undefined || !isRight) {
    throw new Error(`${file.name} is of ${file.seconds} s, and was found to be ${JSON.stringify(seen)}`);
  }
  return seen;
}

async function inspectUploading(service: OurService, { path }: LongFile): Promise<LoopReport> {
  const { size } = await stat(path);
  await asked(service, 'begin');
  await uploadTo(uploadsTo(service), { file: path, size, connections: 1, count: 1 });
  return (await asked(service, 'end')) as LoopReport;
}

async function asked({ child }: OurService, word: 'begin' | 'end'): Promise<unknown> {
  const answer = once(child, 'message');
  child.send(word);
  return (await answer)[0];
}
