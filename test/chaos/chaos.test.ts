import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { expect, onTestFinished, test } from 'vitest';
import { runTool } from '../tools/tool.ts';

test(
  'chaos: half a minute of faults under load breaks no promise, and nothing is left behind',
  async () => {
    const tmp = mkdtempSync(join(tmpdir(), 'stockbroker-chaos-test-'));
    onTestFinished(() => rmSync(tmp, { recursive: true, force: true }));
    // On a machine that does other work besides, the start alone takes half a minute.
    const options = { deadlineMs: 200_000 * PATIENCE };
    const { code, stdout, stderr } = await runTool(
      'chaos',
      ['--minutes', '0.4', '--seed', '1', '--json'],
      { TMPDIR: tmp },
      options,
    );
    expect(code, stderr.slice(-4_000)).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ seed: 1, minutes: 0.4, violations: [] });
    expect(result.faults.done).toBeGreaterThan(3);
    expect(result.trades.byStatus.filled).toBeGreaterThan(0);
    expect(readdirSync(tmp)).toEqual([]);
  },
  240_000 * PATIENCE,
);

test.each([
  [['--only', 'nothing'], /--only must name faults/],
  [['--minutes', 'many'], /--minutes must be/],
  [['--seeds', '1'], /--seeds/],
  [['please'], /What is please/],
])('chaos: wrong usage %j is told, with exit code 2', async (args, told) => {
  const { code, stderr } = await runTool('chaos', args);
  expect(stderr).toMatch(told);
  expect(code).toBe(2);
});
