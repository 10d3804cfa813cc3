import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { runTool, startTool } from './tool.ts';

const eventually = { timeout: 150_000, interval: 50 };
const nobody = { uid: 65_534, gid: 65_534 };

/** A checkout that belongs to somebody else, as far as this test can have one: run by root, for an account that may write nowhere. */
const asRoot = test.runIf(process.getuid?.() === 0);

asRoot(
  'npm start works from a checkout that must not be written to, with a folder for its data',
  async () => {
    const HOME = mkdtempSync(join(tmpdir(), 'stockbroker-home-'));
    chownSync(HOME, nobody.uid, nobody.gid);
    onTestFinished(() => rmSync(HOME, { recursive: true, force: true }));
    const start = startTool('start', ['--data-dir', join(HOME, 'data')], { HOME }, nobody);
    await vi.waitUntil(() => start.stdout().includes('npm run trade -- buy AAPL 10'), eventually);
    start.signal('SIGTERM');
    expect(await start.exited).toBe(0);
  },
  300_000,
);

asRoot('npm start says in a sentence that its data cannot be kept in the checkout', async () => {
  const HOME = mkdtempSync(join(tmpdir(), 'stockbroker-home-'));
  onTestFinished(() => rmSync(HOME, { recursive: true, force: true }));
  const closed = join(HOME, 'closed');
  const start = startTool('start', ['--data-dir', closed], { HOME }, nobody);
  expect(await start.exited).toBe(1);
  expect(start.stderr()).toMatch(
    /^The data cannot be kept in .*closed: EACCES: .*\.\nGive another folder with --data-dir or STOCKBROKER_DATA_DIR\.\n$/,
  );
});

test('a data folder that is a file is refused in a sentence', async () => {
  const { code, stderr } = await runTool('start', ['--data-dir', join(import.meta.filename, 'data')]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^The data cannot be kept in .*(ENOTDIR|EEXIST)/) });
});
