import process from 'node:process';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with one plain line that every tool can read: `12 passed, 0 failed, 1 skipped`. Before it stands how
 * many hostile inputs the tests sent, where they sent any.
 */
export const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[], errors) {
    let inputs = 0;
    const count = { passed: 0, failed: errors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1;
      for (const test of module.children.allTests()) {
        count[test.result().state] += 1;
        inputs += test.meta().hostileInputs ?? 0;
      }
    }
    // Where every program is installed, a skipped test is one that could not run and should have.
    if (process.env['TEST_NO_SKIPS'] !== undefined && count.skipped > 0) {
      count.failed += count.skipped;
      process.exitCode = 1;
    }
    // After the summary, which the default reporter writes when it hears of the same event.
    setImmediate(() => {
      if (inputs > 0) process.stdout.write(`\n${inputs} hostile inputs\n`);
      process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
    });
  },
};
