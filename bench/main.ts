import process from 'node:process';
import { benchLists } from './list.ts';
import { benchServing } from './serve.ts';
import { benchUploads } from './upload.ts';

const SUITES: Readonly<Record<string, (options: { readonly isQuick: boolean }) => Promise<void>>> = {
  upload: benchUploads,
  list: benchLists,
  serve: benchServing,
};

const words = process.argv.slice(2);
const isQuick = words.includes('--quick');
const chosen = words.filter((word) => !word.startsWith('--'));
for (const name of chosen.length > 0 ? chosen : Object.keys(SUITES)) {
  const suite = SUITES[name];
  if (suite === undefined) {
    process.stderr.write(`There is no suite ${name}; there are ${Object.keys(SUITES).join(', ')}.\n`);
    process.exit(1);
  }
  await suite({ isQuick });
}
