import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startTool } from './tool.ts';

test('demo: a worker killed in the middle changes nothing but time, and nothing is left behind', async () => {
  const tmp = mkdtempSync(join(tmpdir(), 'stockbroker-demo-test-'));
  onTestFinished(() => rmSync(tmp, { recursive: true, force: true }));
  const demo = startTool('demo', ['--customers', '10', '--trades', '150', '--json'], { TMPDIR: tmp });
  await vi.waitUntil(() => demo.stderr().includes('ended '), { timeout: 60_000 * PATIENCE, interval: 20 });
  process.kill(Number(/worker-2 (\d+)/.exec(demo.stderr())?.[1]), 'SIGKILL');
  expect(await demo.exited).toBe(0);
  expect(demo.stderr()).toContain('worker-2 was ended by SIGKILL');
  const result = JSON.parse(demo.stdout());
  expect(result).toMatchObject({ trades: 150, placed: 150, open: 0, failures: [], books: { trades: 150, violations: [] } });
  expect(result.filled).toBe(result.books.byStatus.filled);
  expect(readdirSync(tmp)).toEqual([]);
});
