/**
 * Loaded into the service with `--import`: ends it as `kill -9` does the n-th time that it passes a step.
 * KILL_AT_STEP is `<step>` or `<step>:<n>`. Nothing runs after it, no handler and no buffered write.
 */
import { subscribe } from 'node:diagnostics_channel';
import process from 'node:process';

const [wanted = '', times = '1'] = (process.env['KILL_AT_STEP'] ?? '').split(':');
let left = Number(times);

subscribe('media-prompts:step', (step) => {
  if (step !== wanted) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
});
