import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runTool } from '../tools/tool.ts';

test('hostile: under all attacks at once every process keeps its place, its memory and its files, and good trades end', async () => {
  const tmp = mkdtempSync(join(tmpdir(), 'stockbroker-hostile-test-'));
  onTestFinished(() => rmSync(tmp, { recursive: true, force: true }));
  const { code, stdout, stderr } = await runTool('../test/hostile/soak', ['--seconds', '8', '--seed', '3', '--json'], {
    TMPDIR: tmp,
  });
  expect([code, stderr]).toEqual([0, '']);
  const { attacks, trades, problems } = JSON.parse(stdout);
  expect(problems).toEqual([]);
  expect(trades).toBeGreaterThan(0);
  // How many kinds come to their turn in these seconds depends on the machine.
  expect(Object.keys(attacks).length).toBeGreaterThan(3);
  expect(readdirSync(tmp)).toEqual([]);
});

test('hostile: a wrong command line is told', async () => {
  const { code, stderr } = await runTool('../test/hostile/soak', ['--seed', 'x']);
  expect([code, stderr]).toEqual([1, expect.stringContaining('--seed must be a whole number')]);
});
