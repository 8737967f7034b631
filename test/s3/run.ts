/**
 * Runs the tests that need an object store. `--engine ceph` (the default) or `--engine swift` says which one is started;
 * with TEST_S3_ENDPOINT none is. Everything else goes to vitest.
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, tokens } = parseArgs({
  args: process.argv.slice(2),
  options: { engine: { type: 'string', default: 'ceph' } },
  strict: false,
  tokens: true,
});
if (values.engine !== 'ceph' && values.engine !== 'swift') {
  throw new Error(`there is no engine ${String(values.engine)}: ceph or swift`);
}
const others = tokens.flatMap((token) => {
  if (token.kind === 'positional') return [token.value];
  return token.kind === 'option' && token.name !== 'engine'
    ? [token.rawName + (token.value ? `=${token.value}` : '')]
    : [];
});
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', 'test/s3/vitest.config.ts', ...others],
  { stdio: 'inherit', env: { ...process.env, TEST_S3_ENGINE: values.engine } },
);
process.exitCode = status ?? 1;
