import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../e2e/service-process.ts';

const PATIENCE = 240_000;
const FORMATS = ['WAV', 'MP3', 'AAC (ADTS)', 'FLAC', 'Ogg Vorbis', 'M4A', 'MP4, fragmented', 'WebM'];

interface Written {
  readonly quick: boolean;
  readonly sections: readonly { readonly columns: readonly string[]; readonly rows: readonly object[] }[];
  readonly ratios: readonly { readonly goal: { readonly id?: string }; readonly ratios: readonly number[] }[];
}

/** The sources: another test may be building at this moment. */
const environment = { ...(process.env as Record<string, string>), BENCH_PROGRAM: 'src/main.ts' };

test(
  'a benchmark starts the service, measures it, and writes a table and the same as JSON',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'media-prompts-bench-test-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { code, stdout, stderr } = await run(
      [process.execPath, 'bench/main.ts', 'facts', '--quick', '--output', folder],
      environment,
    );
    expect(code, stderr).toBe(0);
    // A row for each of the eight formats, then the goals.
    for (const format of FORMATS) expect(stdout).toContain(`| ${format} | `);
    expect(stdout).toMatch(/^\| P1 \| facts of the worst format, CPU of the main thread, ms \| [\d.]+ \|/m);
    const written = JSON.parse(await readFile(join(folder, 'facts.json'), 'utf8')) as Written;
    expect(written.quick).toBe(true);
    expect(written.sections[0]?.rows).toHaveLength(FORMATS.length);
    expect(written.ratios.filter(({ goal }) => goal.id === 'P1')).toHaveLength(3);
    expect(written.ratios.every(({ ratios }) => ratios.length === 1 && ratios.every(Number.isFinite))).toBe(
      true,
    );
  },
  PATIENCE,
);

test(
  'a suite that does not exist is refused with the names of those that do',
  async () => {
    const { code, stderr } = await run([process.execPath, 'bench/main.ts', 'uploads'], environment);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'There is no suite uploads; there are upload, list, serve, facts, sync, embedded, scale, renditions, store, console.',
    );
  },
  PATIENCE,
);
