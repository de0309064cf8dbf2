import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,property,golden,contract}/**/*.test.ts'],
    setupFiles: ['test/support/seed.ts'],
    // Random suites and the referee of the documents take seconds on a busy 2-core machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: Math.min(availableParallelism(), 4),
    passWithNoTests: false,
  },
});
