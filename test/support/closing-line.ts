import process from 'node:process';
import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with one plain line that every tool can read: `12 passed, 0 failed, 1 skipped`. */
export const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[], errors) {
    const count = { passed: 0, failed: errors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1;
      for (const test of module.children.allTests()) count[test.result().state] += 1;
    }
    // Where every program is installed, a skipped test is one that could not run and should have.
    if (process.env['TEST_NO_SKIPS'] !== undefined && count.skipped > 0) {
      count.failed += count.skipped;
      process.exitCode = 1;
    }
    // After the summary, which the default reporter writes when it hears of the same event.
    setImmediate(() => {
      process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
    });
  },
};
