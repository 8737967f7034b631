import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../test/support/wav.ts';
import { type Measured, type Result, say } from './figures.ts';
import { type Curve, growthRows, growthSection, shapes } from './growth.ts';
import { CONNECTIONS, type Filled, pageOf, startFilled } from './list-pages.ts';
import { brief, measureReading } from './measure.ts';
import { BIG_UNIT, bigUnit } from './million.ts';
import { need, onStage, type Stage } from './processes.ts';
import { inRounds } from './rounds.ts';
import { SMALL, uploadTo } from './upload-run.ts';
import { startOurs, uploadsTo } from './upload-targets.ts';

interface Scale {
  readonly rounds: number;
  readonly seconds: number;
  readonly uploads: number;
  readonly prompts: readonly number[];
  readonly concurrency: readonly number[];
  readonly units: readonly number[];
  /** How many prompts there are while units grow, and units while prompts grow. */
  readonly fixedPrompts: number;
  readonly fixedUnits: number;
}

/** Something that is done to a service of each size. */
type Deed = (of: Filled, units: number) => Promise<Measured>;

const FULL: Scale = {
  rounds: 5,
  seconds: 2,
  uploads: 640,
  prompts: [1_000, 10_000, 100_000, 1_000_000],
  concurrency: [1, 2, 4, 8, 16, 32, 64],
  units: [1, 10, 100, 1_000, 10_000],
  fixedPrompts: 20_000,
  fixedUnits: 1_000,
};
const QUICK: Scale = {
  rounds: 1,
  seconds: 0.2,
  uploads: 16,
  prompts: [1_000, 4_000],
  concurrency: [1, 4],
  units: [1, 100],
  fixedPrompts: 1_000,
  fixedUnits: 100,
};

/**
 * How the price of a request grows with what is kept, with how much comes at once, and with the tree of org units.
 * Everything a request costs may grow no faster, from one size to the next, than n log n does.
 */
export async function benchScale({ isQuick }: { readonly isQuick: boolean }): Promise<Result> {
  const scale = isQuick ? QUICK : FULL;
  const wrk = await need('wrk', '-v', 'wrk');
  const curves = [
    ...(await onStage((stage) => byPrompts(stage, scale))),
    ...(await onStage((stage) => byConcurrency(stage, scale))),
    ...(await onStage((stage) => byUnits(stage, scale))),
  ];
  return {
    sections: [...curves.map(growthSection), shapes(curves)],
    ratios: curves.flatMap(growthRows),
    notes: [wrk],
  };
}

async function byPrompts(stage: Stage, scale: Scale): Promise<readonly Curve[]> {
  const units = scale.fixedUnits;
  const sizes = scale.prompts.map((prompts) => ({ size: prompts, prompts, units }));
  return await grow(stage, scale, 'prompts', sizes, {
    'a page of one unit': reading(scale, () => `org_unit_id=${BIG_UNIT}&limit=50`),
    'a page of the whole tree': reading(scale, () => 'limit=50'),
    // Each of the sizes has prompts with such a number. One at a time: it counts what it finds, and may take long.
    'a page of a search by name': reading(slowly(scale), () => 'name=greeting%2077&limit=50', 1),
    'an upload of 200 KB': await uploading(stage, scale, () => BIG_UNIT),
  });
}

async function byUnits(stage: Stage, scale: Scale): Promise<readonly Curve[]> {
  const prompts = scale.fixedPrompts;
  const sizes = scale.units.map((units) => ({ size: units, prompts, units }));
  return await grow(stage, scale, 'org units', sizes, {
    'a page of the whole tree': reading(scale, () => 'limit=50'),
    'a page of one unit': reading(scale, (units) => `org_unit_id=${bigUnit(units)}&limit=50`),
    'an upload of 200 KB to the last unit': await uploading(stage, scale, (units) => units),
  });
}

/** A service for each crowd, since memory that one has needed it may keep. */
async function byConcurrency(stage: Stage, scale: Scale): Promise<readonly Curve[]> {
  const file = await smallFile(stage);
  say(`scale: starting ${scale.concurrency.length} services`);
  const targets = await Promise.all(
    scale.concurrency.map(async (crowd) => ({ crowd, target: await startOurs(stage, `crowd-${crowd}`) })),
  );
  const title = 'uploads of 200 KB at once';
  const found = await inRounds(
    { title, rounds: scale.rounds, warmUp: scale !== QUICK },
    scale.concurrency.map(String),
    (name) => {
      const target = targets.find(({ crowd }) => String(crowd) === name)?.target;
      if (target === undefined) throw new Error(`nobody is called ${name}`);
      return uploadTo(target, { file, size: SMALL, connections: Number(name), count: scale.uploads });
    },
    brief,
  );
  const steps = scale.concurrency.map((size) => ({ size, measured: found[String(size)] ?? [] }));
  return [{ title: 'an upload of 200 KB, by how many come at once', of: 'at once', steps }];
}

/** Does each deed to a service of each size, in rounds over the sizes. */
async function grow(
  stage: Stage,
  scale: Scale,
  what: string,
  sizes: readonly { readonly size: number; readonly prompts: number; readonly units: number }[],
  deeds: Readonly<Record<string, Deed>>,
): Promise<readonly Curve[]> {
  const services = await Promise.all(
    sizes.map(async ({ size, ...of }) => ({
      ...of,
      size,
      filled: await startFilled(stage, `${size}-${what.replace(' ', '-')}`, of),
    })),
  );
  const curves: Curve[] = [];
  for (const [deed, act] of Object.entries(deeds)) {
    const title = `${deed}, by ${what}`;
    const found = await inRounds(
      { title, rounds: scale.rounds, warmUp: scale !== QUICK },
      sizes.map(({ size }) => String(size)),
      (name) => {
        const service = services.find(({ size }) => String(size) === name);
        if (service === undefined) throw new Error(`nobody is called ${name}`);
        return act(service.filled, service.units);
      },
      brief,
    );
    const steps = sizes.map(({ size }) => ({ size, measured: found[String(size)] ?? [] }));
    curves.push({ title, of: what, steps });
  }
  return curves;
}

function reading(
  { seconds }: Scale,
  search: (units: number) => string,
  connections: number = CONNECTIONS,
): Deed {
  return async (of, units) => {
    const { roots, url, token, length } = await pageOf(of, search(units));
    const headers = { authorization: `Bearer ${token}` };
    return await measureReading(roots, { url, connections, seconds, headers, length });
  };
}

const slowly = (scale: Scale): Scale => ({ ...scale, seconds: scale.seconds * 3 });

async function uploading(stage: Stage, scale: Scale, unit: (units: number) => number): Promise<Deed> {
  const file = await smallFile(stage);
  return ({ service, roots }, units) => {
    const work = { file, size: SMALL, connections: CONNECTIONS, count: scale.uploads };
    return uploadTo(uploadsTo(service, roots.slice(1)), { ...work, orgUnit: unit(units) });
  };
}

async function smallFile({ folder }: Stage): Promise<string> {
  const file = join(folder, 'small.wav');
  await writeFile(file, noise(SMALL, 1));
  return file;
}
