import { PATIENCE } from '@stockbroker/testkit/patience';
import { defineConfig } from 'vitest/config';

/** The driver reads them by itself: what a shell says of another server would bend connections to the tests' own. */
for (const name of Object.keys(process.env)) if (/^PG[A-Z]+$/.test(name) && name !== 'PGBENCH') delete process.env[name];

export default defineConfig({
  test: {
    include: ['libs/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: 'test/globalSetup.ts',
    reporters: ['default', './test/countingReporter.ts'],
    // A file of tests may run several processes of its own: two files at a time are enough.
    pool: 'forks',
    // A process that has loaded what most tests need runs the next file too. No file leaves anything behind in it.
    isolate: false,
    maxWorkers: 2,
    // Garbage is collected in time on every machine: else Node lets the heap grow with what memory there is.
    execArgv: ['--max-old-space-size=700'],
    // Node itself runs the code, with its types stripped, as it does in production.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    // For a busy machine: every wait inside the tests has a shorter deadline of its own.
    testTimeout: 120_000 * PATIENCE,
    hookTimeout: 120_000 * PATIENCE,
    teardownTimeout: 30_000 * PATIENCE,
    // Of expect.poll; vitest's own is a second.
    expect: { poll: { timeout: 20_000 * PATIENCE } },
  },
});
