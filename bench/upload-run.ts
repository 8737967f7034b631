import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Measured } from './figures.ts';
import type { Load } from './load-client.ts';
import { brief, measureUploads } from './measure.ts';
import { inRounds, type Plan } from './rounds.ts';
import type { UploadTarget } from './upload-targets.ts';

export type Work = Pick<Load, 'file' | 'size' | 'connections' | 'count'>;

/** Bytes: the most that the service takes, and about what a greeting has. */
export const LARGE = 50 * 1024 * 1024;
export const SMALL = 200 * 1024;

/** Uploads to each target in each round; throws when an answer or what lies there afterwards is wrong. */
export function uploadInRounds<Name extends string>(
  plan: Plan,
  targets: Readonly<Record<Name, UploadTarget>>,
  work: Work,
): Promise<Readonly<Record<Name, readonly Measured[]>>> {
  const names = Object.keys(targets) as Name[];
  return inRounds(plan, names, (name) => uploadTo(targets[name], work), brief);
}

/** Uploads to an empty target, which is empty again afterwards. */
export async function uploadTo(target: UploadTarget, work: Work & Pick<Load, 'orgUnit'>): Promise<Measured> {
  const rowsBefore = await target.rows();
  const { measured, report } = await measureUploads(target.roots, { ...target.load, ...work });
  const rows = await target.rows();
  if (rowsBefore !== undefined && rows !== rowsBefore + work.count) {
    throw new Error(`${target.load.url} keeps ${rows} rows after ${work.count} uploads on ${rowsBefore}`);
  }
  await auditFiles(target, work);
  await target.clear(report);
  return measured;
}

/** Every file has the size of the one that was sent; and one of them is that one, byte by byte. */
async function auditFiles({ folder, load }: UploadTarget, { file, size, count }: Work): Promise<void> {
  const paths = (await readdir(folder)).map((name) => join(folder, name));
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  const whole = paths.filter((_, index) => sizes[index] === size);
  const one = whole.at(-1);
  if (one === undefined || whole.length !== count || (await sha256Of(one)) !== (await sha256Of(file))) {
    throw new Error(`${load.url}: of ${count} files ${whole.length} came whole, or with other bytes`);
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
