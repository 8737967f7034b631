/**
 * Inspects files with the service's inspector, and nothing beside it; reports as JSON on stdout.
 * Arguments: its module, then files; the first is only there to start the workers.
 */
import { resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import type { createInspector as CreateInspector, Inspection } from '../src/audio/inspector.ts';
import { type LoopReport, watchLoop } from './loop-probe.ts';

export interface FactsReport extends LoopReport {
  readonly inspection: Inspection;
  /** Milliseconds. */
  readonly took: number;
}

const [module = '', first = '', ...files] = process.argv.slice(2);
const { createInspector } = (await import(pathToFileURL(resolve(module)).href)) as {
  createInspector: typeof CreateInspector;
};
const inspector = createInspector();
await Promise.all([inspector.inspect(first), inspector.inspect(first)]);

const reports: FactsReport[] = [];
for (const file of files) {
  const end = watchLoop();
  const began = performance.now();
  const inspection = await inspector.inspect(file);
  const took = performance.now() - began;
  reports.push({ ...end(), inspection, took });
}
await inspector.close();
process.stdout.write(JSON.stringify(reports));
