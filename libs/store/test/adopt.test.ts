import { createMetrics } from '@stockbroker/runtime';
import type { Trade } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { DatabaseClock } from '../src/databaseClock.ts';
import { markTradesExecuted } from '../src/markTradesExecuted.ts';
import { raiseEpochs } from '../src/raiseEpochs.ts';
import { readClock } from '../src/readClock.ts';
import { readTurns } from '../src/readTurns.ts';
import { settleTrades } from '../src/settleTrades.ts';
import type { Queries } from '../src/statement.ts';
import { fill, mark, openBank, order } from './bank.ts';

const bank = await openBank();
const { db } = bank;

/** The database, as if a standby of that timeline had taken over. */
function onTimeline(timeline: string): Queries {
  const query: Queries['query'] = async <Row>(text: TemplateStringsArray, ...values: readonly unknown[]) =>
    text[0]?.includes('readTimeline') ? [{ timeline } as Row] : await db.query<Row>(text, ...values);
  return { query };
}

const ADOPT = { adopt: { limitPrice: 100_000n, attempt: 0 } };

async function placed(means: Parameters<typeof bank.account>[0], change: Parameters<typeof order>[1] = {}) {
  const [trade] = await bank.places(order(await bank.account(means), change));
  if (trade === undefined) throw new Error('not placed');
  return { trade, epoch: (await bank.leads(trade.partition)).get(trade.partition) ?? 0n };
}

test.each<[string, { amount: bigint; held?: bigint; buysBlocked?: boolean }, bigint]>([
  ['with the cash for it', { amount: 150_000n }, 100_000n],
  ['with some of the cash', { amount: 30_000n }, 30_000n],
  ['with less than is held', { amount: 30_000n, held: 40_000n }, 0n],
  ['of a blocked account', { amount: 150_000n, buysBlocked: true }, 100_000n],
])('a buy that the exchange has is adopted %s, and holds what there is', async (_how, means, hold) => {
  const { trade, epoch } = await placed(means);
  const [result] = await markTradesExecuted(db, [mark(trade, epoch, ADOPT)]);
  expect(result).toMatchObject({ kind: 'marked', trade: { status: 'executed', hold, limitPrice: 100_000n } });
  const [settled] = await settleTrades(db, [fill(trade, 90_000n)]);
  expect(settled).toMatchObject({ trade: { status: 'filled' }, overdrawn: hold < 90_000n });
  expect(await bank.balance(trade.customerId)).toMatchObject({ amount: means.amount - 90_000n, held: means.held ?? 0n });
});

test('a sell that the exchange has is adopted with the shares, and stays as it is without', async () => {
  const sell = { type: 'sell', quantity: 5 } as const;
  const [owned, short] = [await placed({ shares: 5n }, sell), await placed({ shares: 4n }, sell)];
  expect(await markTradesExecuted(db, [mark(owned.trade, owned.epoch, ADOPT)])).toMatchObject([{ kind: 'marked' }]);
  expect(await markTradesExecuted(db, [mark(short.trade, short.epoch, ADOPT)])).toEqual([{ kind: 'stale' }]);
  expect(await db.trade.findUnique({ where: { id: short.trade.id } })).toEqual(short.trade);
});

test('a leadership of another timeline is fenced: a standby has taken over, and may lack the last commits', async () => {
  const { trade, epoch } = await placed({ amount: 150_000n });
  const { partition } = trade;
  const [lease] = await db.partitionLease.findMany({ where: { partition } });
  expect(lease?.timeline).toMatch(/^[0-9A-F]{8}$/);
  await db.partitionLease.update({ where: { partition }, data: { timeline: '0000002A' } });
  expect(await markTradesExecuted(db, [mark(trade, epoch)])).toEqual([{ kind: 'fenced' }]);
  const [raised] = await raiseEpochs(db, [{ partition, leader: 'test' }]);
  expect(await markTradesExecuted(db, [mark(trade, raised?.epoch ?? 0n)])).toMatchObject([{ kind: 'marked' }]);
});

test('an epoch is not used again in another timeline, though its raise was lost with the failover', async () => {
  const { trade } = await placed({ amount: 150_000n });
  const { partition } = trade;
  const inTimeline = async (timeline: string) => {
    const [raised] = await raiseEpochs(onTimeline(timeline), [{ partition, leader: 'test' }]);
    return raised?.epoch ?? 0n;
  };
  const before = await db.partitionLease.findUniqueOrThrow({ where: { partition } });
  const lost = await inTimeline('0000002A');
  expect(await inTimeline('0000002A')).toBe(lost + 1n);
  await db.partitionLease.update({ where: { partition }, data: before });
  const afterwards = await inTimeline('0000002B');
  expect(afterwards).toBeGreaterThan(lost + 1n);
  await db.partitionLease.update({ where: { partition }, data: before });
  expect(await inTimeline('7FFFFFFF')).toBeGreaterThan(afterwards);
  await db.partitionLease.update({ where: { partition }, data: before });
});

test('where the server does not tell its timeline, the epoch alone fences', async () => {
  const { trade, epoch } = await placed({ amount: 150_000n });
  await db.partitionLease.update({ where: { partition: trade.partition }, data: { timeline: null } });
  expect(await markTradesExecuted(db, [mark(trade, epoch)])).toMatchObject([{ kind: 'marked' }]);
});

test('since when a trade is its customer’s oldest: when the last of the earlier ones ended, whichever that was', async () => {
  const customerId = await bank.opens();
  const trades = await bank.places(...Array.from({ length: 4 }, () => order(customerId)));
  const turn = async (trade: Trade | undefined) => (await readTurns(db, [{ customerId, seq: trade?.seq ?? 0n }]))[0]?.getTime();
  expect(await turn(trades[0])).toBe(undefined);
  const end = async (i: number, at: string, rejectCode: 'HALTED' | 'CANCELED') => {
    const data = { status: 'rejected', rejectCode, reason: 'x', endedAt: new Date(at) } as const;
    await db.trade.update({ where: { id: trades[i]?.id ?? '' }, data });
    return Date.parse(at);
  };
  // The second is canceled before the first has ended.
  await end(1, '2026-01-05T15:00:00Z', 'CANCELED');
  const first = await end(0, '2026-01-05T15:01:00Z', 'HALTED');
  expect(await turn(trades[2])).toBe(first);
  const third = await end(2, '2026-01-05T15:02:00Z', 'CANCELED');
  expect(await turn(trades[3])).toBe(third);
});

test('every end has its time', async () => {
  const { trade, epoch } = await placed({ amount: 150_000n });
  const [refused] = await markTradesExecuted(db, [mark(trade, epoch, { refusal: { code: 'HALTED', stockTicker: 'AAPL' } })]);
  expect(refused).toMatchObject({ trade: { endedAt: expect.any(Date) } });
});

test.each([
  ['is 200 ms ahead', -200, 1],
  ['is 200 ms behind', 200, 1],
  ['is right', 0, 0],
])('a database clock that %s is measured, and told when it is off by more than 50 ms', async (_how, shiftMs, warnings) => {
  const warned: object[] = [];
  const metrics = createMetrics('test');
  const clock = { now: () => Date.now() + shiftMs, monotonicMs: () => performance.now() };
  const offset = new DatabaseClock({ warn: (fields: object) => void warned.push(fields) } as never, metrics, clock);
  await offset.measure(() => readClock(db));
  await offset.measure(() => readClock(db));
  expect(Math.abs(offset.offsetMs + shiftMs)).toBeLessThan(100);
  expect(warned).toHaveLength(warnings);
  expect(await metrics.registry.metrics()).toContain('database_clock_offset_seconds');
});

test('the time is the database’s, however far this process’s clock is off, and when it is set meanwhile', async () => {
  let shiftMs = 3_600_000;
  const own = { now: () => Date.now() + shiftMs, monotonicMs: () => performance.now() };
  const clock = new DatabaseClock({ warn: () => {} } as never, createMetrics('test'), own);
  const apartMs = async () => {
    const earliestMs = clock.now();
    const readMs = await readClock(db);
    // Between the two readings of the clock, or not far from them.
    return Math.max(earliestMs - readMs, readMs - clock.now(), 0);
  };
  expect(await apartMs()).toBeGreaterThan(3_000_000);
  await clock.measure(() => readClock(db));
  expect(await apartMs()).toBeLessThan(60_000);
  shiftMs = -3_600_000;
  expect(await apartMs()).toBeLessThan(60_000);
});

test('an answer that took long does not move a clock that it does not prove wrong', async () => {
  let monotonic = 0;
  const clock = { now: () => 1_000_000 + monotonic, monotonicMs: () => monotonic };
  const offset = new DatabaseClock({ warn: () => {} }, createMetrics('test'), clock);
  const answering = (ms: number, afterMs: number) => async () => {
    monotonic += afterMs;
    return ms;
  };
  await offset.measure(answering(1_000_500, 2));
  expect(offset.now()).toBe(1_000_500);
  await offset.measure(answering(1_002_000, 4_000));
  expect(offset.now()).toBe(1_000_498 + 4_002);
});
