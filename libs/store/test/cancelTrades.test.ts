import { randomUUID } from 'node:crypto';
import { eventually } from '@stockbroker/testkit';
import type { Trade } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { cancelTrades } from '../src/cancelTrades.ts';
import { markTradesExecuted } from '../src/markTradesExecuted.ts';
import { readHealth } from '../src/readHealth.ts';
import { readOldestOpenTrades } from '../src/readOldestOpenTrades.ts';
import { readOpenCustomers } from '../src/readOpenCustomers.ts';
import { mark, openBank, openTransaction, order, waitingForLocks } from './bank.ts';

const bank = await openBank();
const { db } = bank;

const ref = ({ id, customerId }: Trade) => ({ tradeId: id, customerId });
const stored = ({ id }: Trade) => db.trade.findUniqueOrThrow({ where: { id } });
const revisionOf = async ({ customerId }: Trade) => (await db.balance.findUniqueOrThrow({ where: { customerId } })).revision;

/** Placed buys of one customer with 1,000 dollars, and the epoch under which the partition is led. */
async function placed(...waits: boolean[]) {
  const customerId = await bank.opens();
  const trades = await bank.places(...waits.map((queueForOpen) => order(customerId, { queueForOpen })));
  const partition = order(customerId).partition;
  const epoch = (await bank.leads(partition)).get(partition) ?? 0n;
  const oldest = async (waiting: 'counted' | 'passed') =>
    (await readOldestOpenTrades(db, [{ customerId, partition, waiting }]))[0]?.id ?? null;
  const [first, second] = trades;
  if (first === undefined) throw new Error('none placed');
  return { customerId, partition, first, second: second ?? first, epoch, oldest };
}

test('a placed trade is ended once, counted as one change of its customer, and is open no more', async () => {
  const { first, second, oldest } = await placed(true, true);
  const before = await revisionOf(first);
  const [canceled] = await cancelTrades(db, [ref(first)]);
  expect(canceled).toMatchObject({
    id: first.id,
    status: 'rejected',
    rejectCode: 'CANCELED',
    reason: 'Canceled by the customer before it was sent',
    finalRevision: before + 1,
    submittedAt: null,
  });
  expect(await cancelTrades(db, [ref(first)])).toEqual([null]);
  expect([await revisionOf(first), await oldest('counted')]).toEqual([before + 1, second.id]);
});

test('nothing changes for a trade of another customer, one that is not there, or one that was marked', async () => {
  const { first, epoch } = await placed(false);
  const other = await bank.opens();
  expect(await cancelTrades(db, [{ tradeId: first.id, customerId: other }])).toEqual([null]);
  expect(await cancelTrades(db, [{ tradeId: randomUUID(), customerId: other }])).toEqual([null]);
  const { first: wanted } = await placed(true);
  const together = await cancelTrades(db, [{ tradeId: wanted.id, customerId: other }, ref(wanted)]);
  expect(together).toMatchObject([null, { id: wanted.id }]);
  expect(await markTradesExecuted(db, [mark(first, epoch)])).toMatchObject([{ kind: 'marked' }]);
  const before = await revisionOf(first);
  expect(await cancelTrades(db, [ref(first)])).toEqual([null]);
  expect([(await stored(first)).status, await revisionOf(first)]).toEqual(['executed', before]);
});

test('a mark that waits while the trade is being canceled changes nothing', async () => {
  const { first, epoch, customerId } = await placed(true);
  const canceling = await openTransaction(bank.url, (tx) => cancelTrades(tx, [ref(first)]));
  const marking = markTradesExecuted(db, [mark(first, epoch)]);
  await eventually(
    () => waitingForLocks(db),
    (waiting) => waiting > 0,
    { what: 'the mark to wait' },
  );
  await canceling.commit();
  expect([await marking, (await stored(first)).rejectCode]).toEqual([[{ kind: 'stale' }], 'CANCELED']);
  expect((await bank.balance(customerId)).held).toBe(0n);
});

test('a cancellation that waits while the trade is being marked changes nothing', async () => {
  const { first, epoch } = await placed(true);
  const marking = await openTransaction(bank.url, (tx) => markTradesExecuted(tx, [mark(first, epoch)]));
  const canceling = cancelTrades(db, [ref(first)]);
  await eventually(
    () => waitingForLocks(db),
    (waiting) => waiting > 0,
    { what: 'the cancellation to wait' },
  );
  await marking.commit();
  expect([await canceling, (await stored(first)).status]).toEqual([[null], 'executed']);
});

test('cancellations and marks of many customers in any order: each trade gets one of them, and no statement deadlocks', async () => {
  const all = await Promise.all(Array.from({ length: 24 }, () => placed(true)));
  const epochs = await bank.leads(...all.map(({ partition }) => partition));
  const marking = markTradesExecuted(
    db,
    all.map(({ first }) => mark(first, epochs.get(first.partition) ?? 0n)),
  );
  const canceling = cancelTrades(db, all.map(({ first }) => ref(first)).reverse());
  const marked = (await marking).map(({ kind }) => kind === 'marked');
  const canceled = (await canceling).reverse().map((trade) => trade !== null);
  expect(marked.map((was, i) => was !== canceled[i])).toEqual(all.map(() => true));
});

test('outside the session trades that wait for the open are passed by; once sent, a trade is waited for as any', async () => {
  const { customerId, partition, first, second, epoch, oldest } = await placed(true, false);
  expect([await oldest('counted'), await oldest('passed')]).toEqual([first.id, second.id]);
  const sweep = async (waiting: 'counted' | 'passed') =>
    (await readOpenCustomers(db, [{ partition, limit: 1_000, waiting }]))[0]?.includes(customerId);
  // Not the oldest: it may be refused because the market is closed, and be neither sent nor refused for anything else.
  expect(await markTradesExecuted(db, [mark(second, epoch)])).toEqual([{ kind: 'stale' }]);
  const halted = { refusal: { code: 'HALTED', stockTicker: 'AAPL' } } as const;
  expect(await markTradesExecuted(db, [mark(second, epoch, halted)])).toEqual([{ kind: 'stale' }]);
  const closed = { refusal: { code: 'MARKET_CLOSED' } } as const;
  expect(await markTradesExecuted(db, [mark(second, epoch, closed)])).toMatchObject([{ kind: 'marked' }]);
  expect([await oldest('passed'), await sweep('passed'), await sweep('counted')]).toEqual([null, false, true]);
  await markTradesExecuted(db, [mark(first, epoch)]);
  expect([await oldest('passed'), await sweep('passed')]).toEqual([first.id, true]);
});

test('a trade that waits for the open is not what an operator is alarmed by', async () => {
  await db.$executeRaw`TRUNCATE open_trades`;
  const { first } = await placed(true);
  expect((await readHealth(db)).oldestOpenSeconds).toBe(0);
  await db.openTrade.updateMany({ where: { tradeId: first.id }, data: { waitsForOpen: false } });
  await eventually(
    () => readHealth(db),
    ({ oldestOpenSeconds }) => oldestOpenSeconds > 0,
    { what: 'an age' },
  );
});

test('whether a trade waits for the open is part of the order, and never changes', async () => {
  const { first } = await placed(true);
  const change = db.trade.update({ where: { id: first.id }, data: { queueForOpen: false, status: 'rejected' } });
  await expect(change).rejects.toThrow('trades_order_is_fixed');
});
