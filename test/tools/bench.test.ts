import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { expect, onTestFinished, test } from 'vitest';
import { figureOf } from '../../tools/bench/figures.ts';
import { judge, PARTS } from '../../tools/bench/goals.ts';
import { runRounds } from '../../tools/bench/runs.ts';
import { percentiles } from '../../tools/percentiles.ts';
import { runTool } from './tool.ts';

/** Half a minute where nothing else runs. */
const DEADLINE_MS = 180_000 * PATIENCE;

test(
  'bench: one command measures everything, proves the books and leaves nothing behind',
  async () => {
    const tmp = mkdtempSync(join(tmpdir(), 'stockbroker-bench-test-'));
    onTestFinished(() => rmSync(tmp, { recursive: true, force: true }));
    const json = join(tmp, 'result.json');
    const { code, stdout, stderr } = await runTool(
      'bench',
      ['--quick', '--json', json, '--profiles', join(tmp, 'profiles')],
      { TMPDIR: tmp },
      { deadlineMs: DEADLINE_MS },
    );
    expect(code, stderr).toBe(0);
    const { sweep, outcomes, web, work, goals, books } = JSON.parse(readFileSync(json, 'utf8'));
    const runs = [...sweep.map(({ run }: { run: object }) => run), ...outcomes[PARTS.endToEnd]];
    for (const run of runs) {
      expect(run.perSecond).toBeGreaterThan(0);
      expect(run.ms.p50).toBeGreaterThan(0);
      expect(run.cpu.all).toBeGreaterThan(0);
    }
    // Together: where a machine is busy with something else, a run may be a few trades.
    for (const what of ['insertTrades', 'markTradesExecuted', 'settleTrades'])
      expect(Math.max(...runs.map(({ batchSizes }) => batchSizes[what]?.mean ?? 0)), what).toBeGreaterThanOrEqual(1);
    for (const what of ['gateway', 'worker', 'callback', 'exchange', 'postgres', 'nats', 'load'])
      expect(Math.max(...runs.map(({ cpu }) => cpu[what])), what).toBeGreaterThan(0);
    for (const [name, [outcome]] of Object.entries(outcomes) as [string, [{ perSecond?: number; ms?: { p50: number } }]][])
      expect(outcome.perSecond ?? outcome.ms?.p50, name).toBeGreaterThan(0);
    const { tpcB, straightforward, batched, commit, echo, publish } = PARTS;
    expect(Object.keys(outcomes)).toEqual(expect.arrayContaining([tpcB, straightforward, batched, commit, echo, publish]));
    for (const server of ['gatewayGrpc', 'gatewayWeb', 'connectWeb']) expect(web[server].perSecond, server).toBeGreaterThan(0);
    for (const { app, processor, allocated } of work.apps) {
      expect(Object.keys(processor).length, app).toBeGreaterThan(2);
      expect(Object.keys(allocated).length, app).toBeGreaterThan(2);
    }
    expect(work.database.statements.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['insertTrades', 'readOldestOpenTrades', 'markTradesExecuted', 'settleTrades']),
    );
    expect(work.trades).toBeGreaterThan(0);
    expect(goals.filter(({ figure }: { figure?: object }) => figure !== undefined).length).toBeGreaterThan(8);
    // Every trade that was acknowledged is there, and was filled.
    for (const { trades, byStatus, violations } of books) {
      expect(violations).toEqual([]);
      expect(byStatus).toEqual({ filled: trades });
    }
    for (const { what } of goals) expect(stdout).toContain(what);
    expect(readdirSync(tmp)).toEqual(['profiles', 'result.json']);
  },
  200_000 * PATIENCE,
);

test('bench: each round begins with another part', async () => {
  const order: string[] = [];
  const part = (name: string) => ({
    name,
    run: async () => {
      order.push(name);
      return { perSecond: order.length };
    },
  });
  const rounds = { rounds: 3, onEvent: () => {}, isStopped: () => false };
  const outcomes = await runRounds([part('a'), part('b'), part('c')], rounds);
  expect(order.join('')).toBe('abcbcacab');
  expect(outcomes).toEqual({
    a: [{ perSecond: 1 }, { perSecond: 6 }, { perSecond: 8 }],
    b: [{ perSecond: 2 }, { perSecond: 4 }, { perSecond: 9 }],
    c: [{ perSecond: 3 }, { perSecond: 5 }, { perSecond: 7 }],
  });
});

test('bench: a goal is the median of the rounds’ own ratios, with the lowest and the highest', () => {
  const rate = (...rates: number[]) => rates.map((perSecond) => ({ perSecond }));
  const goals = judge({ [PARTS.endToEnd]: rate(100, 300, 90), [PARTS.tpcB]: rate(100, 200, 100) });
  const [tpcB, straightforward] = goals;
  expect(tpcB).toEqual({
    what: 'end to end ÷ pgbench TPC-B',
    goal: '≥ 1',
    figure: { median: 1, lowest: 0.9, highest: 1.5 },
    met: true,
  });
  expect(straightforward).toMatchObject({ figure: undefined, met: undefined });
});

test('bench: latency goals divide by what the path needs at least', () => {
  const ms = (value: number) => [{ ms: percentiles([value], 2), placeMs: percentiles([value / 2], 2) }];
  const goals = judge({
    [PARTS.quiet]: ms(12),
    [PARTS.half]: ms(300),
    [PARTS.commit]: ms(1),
    [PARTS.echo]: ms(0.5),
    [PARTS.publish]: ms(0.25),
  });
  const found = Object.fromEntries(goals.map(({ what, figure, met }) => [what, { ratio: figure?.median, met }]));
  expect(found['place p50 at 30/s ÷ (commit + echo), floors back to back']).toEqual({ ratio: 4, met: false });
  expect(found['placed→filled p50 at 30/s ÷ (3 commits + publish + 3 echoes), floors back to back']).toEqual({
    ratio: 12 / 4.75,
    met: false,
  });
  expect(found['placed→filled p99 at half of the most ÷ p50 at 30/s']).toEqual({ ratio: 25, met: false });
});

test('bench: the median of an even number of rounds is between the two in the middle', () => {
  expect(figureOf([4, 1, undefined, 3, 2])).toEqual({ median: 2.5, lowest: 1, highest: 4 });
  expect(figureOf([7])).toEqual({ median: 7, lowest: 7, highest: 7 });
  expect(figureOf([undefined])).toBeUndefined();
});
