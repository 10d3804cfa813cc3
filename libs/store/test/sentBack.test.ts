import { type OrderReport, type Trade, versionsOf } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { cancelTrades } from '../src/cancelTrades.ts';
import { markTradesExecuted } from '../src/markTradesExecuted.ts';
import { checkAccounts } from '../src/operate/checkAccounts.ts';
import { readChanges } from '../src/readChanges.ts';
import { readOldestOpenTrades } from '../src/readOldestOpenTrades.ts';
import { readOpenCustomers } from '../src/readOpenCustomers.ts';
import { settleTrades } from '../src/settleTrades.ts';
import { fill, mark, openBank, order } from './bank.ts';

const bank = await openBank();
const { db } = bank;

/** That the exchange is closed. */
function closed(trade: Trade, attempt = 0): OrderReport {
  const outcome = { kind: 'rejected', refusal: { code: 'MARKET_CLOSED' }, executedAt: new Date(1_700_000_000_000) } as const;
  return fill(trade, 1n, { outcome, attempt });
}

/** An executed trade that is to wait for the open, with two more of its customer, of which the second does not. */
async function sent(type: Trade['type'] = 'buy'): Promise<[Trade, Trade, Trade]> {
  const customerId = await bank.opens();
  const trades = await bank.places(
    order(customerId, { type, queueForOpen: true }),
    order(customerId, { queueForOpen: true }),
    order(customerId),
  );
  const [first] = await bank.executes(100_000n, ...trades.slice(0, 1));
  const [, second, third] = trades;
  if (first === undefined || second === undefined || third === undefined) throw new Error('not sent');
  return [first, second, third];
}

const lease = async ({ partition }: Trade) => (await bank.leads(partition)).get(partition) ?? 0n;
const oldest = async ({ customerId, partition }: Trade, queuedBefore: Date) => {
  const asked = { customerId, partition, waiting: { queuedBefore } };
  const [trade] = await readOldestOpenTrades(db, [asked]);
  const [customers] = await readOpenCustomers(db, [{ partition, limit: 1_000, waiting: { queuedBefore } }]);
  expect(customers?.includes(customerId)).toBe(trade !== null);
  return trade ?? null;
};

test.each(['buy', 'sell'] as const)(
  'a %s sent back is placed again: nothing is held, and its hold is taken anew',
  async (type) => {
    const [trade] = await sent(type);
    const [settled] = await settleTrades(db, [closed(trade)]);
    expect(settled).toMatchObject({ overdrawn: false, trade: { status: 'placed', attempt: 1, rejectCode: null, endedAt: null } });
    expect(settled?.trade).toEqual(await db.trade.findUnique({ where: { id: trade.id } }));
    expect(await bank.balance(trade.customerId)).toMatchObject({ held: 0n, amount: 10_000_000n });
    expect(await bank.shares(trade.customerId)).toEqual({ quantity: 50n, held: 0n });
    const [again] = await markTradesExecuted(db, [mark(trade, await lease(trade), { limitPrice: 90_000n })]);
    expect(again).toMatchObject({ kind: 'marked', trade: { status: 'executed', attempt: 1, limitPrice: 90_000n } });
    await settleTrades(db, [fill(trade, 90_000n, { attempt: 1 })]);
    const pages = await Array.fromAsync(checkAccounts(db));
    expect(pages.flatMap(({ findings }) => findings)).toEqual([]);
  },
);

test('reports of an attempt that is over change nothing, whatever they say', async () => {
  const [trade] = await sent();
  await settleTrades(db, [closed(trade)]);
  expect(await settleTrades(db, [closed(trade)])).toEqual([null]);
  await markTradesExecuted(db, [mark(trade, await lease(trade))]);
  expect(await settleTrades(db, [closed(trade)])).toEqual([null]);
  expect(await settleTrades(db, [fill(trade, 100_000n)])).toEqual([null]);
  expect(await db.trade.findUnique({ where: { id: trade.id } })).toMatchObject({ status: 'executed', attempt: 1 });
});

test('what was sent back is passed in its session, with the customer’s others that wait; what does not wait is refused', async () => {
  const [first, second, third] = await sent();
  const before = new Date(Date.now() - 60_000);
  await settleTrades(db, [closed(first)]);
  expect(await oldest(first, before)).toMatchObject({ id: third.id });
  const epoch = await lease(first);
  expect(await markTradesExecuted(db, [mark(third, epoch)])).toEqual([{ kind: 'stale' }]);
  const [refused] = await markTradesExecuted(db, [mark(third, epoch, { refusal: { code: 'MARKET_CLOSED' } })]);
  expect(refused).toMatchObject({ trade: { id: third.id, rejectCode: 'MARKET_CLOSED' } });
  expect(await oldest(first, before)).toBe(null);
  expect(await oldest(first, new Date(Date.now() + 60_000))).toMatchObject({ id: first.id });
  expect(await db.openTrade.findFirst({ where: { tradeId: second.id } })).toMatchObject({ waitsForOpen: true });
});

test('one that was sent back can be canceled, and then it is never sent', async () => {
  const [trade] = await sent();
  await settleTrades(db, [closed(trade)]);
  const [canceled] = await cancelTrades(db, [{ customerId: trade.customerId, tradeId: trade.id }]);
  expect(canceled).toMatchObject({ status: 'rejected', rejectCode: 'CANCELED' });
  expect(await markTradesExecuted(db, [mark(trade, await lease(trade))])).toEqual([{ kind: 'stale' }]);
});

test('a watcher is told of it as of each change: the revisions have no gap, and the trade is told as it stands', async () => {
  const [trade] = await sent();
  const { revision = 0 } = (await db.balance.findUnique({ where: { customerId: trade.customerId } })) ?? {};
  await settleTrades(db, [closed(trade)]);
  const [state] = await readChanges(db, [{ customerId: trade.customerId, revision }]);
  expect(state).toMatchObject({ revision: revision + 1, trades: [{ id: trade.id, status: 'placed' }] });
});

test('a watcher that comes later is told that it was placed again, and then how it ended', async () => {
  const [trade] = await sent();
  const { revision = 0 } = (await db.balance.findUnique({ where: { customerId: trade.customerId } })) ?? {};
  await settleTrades(db, [closed(trade)]);
  await cancelTrades(db, [{ customerId: trade.customerId, tradeId: trade.id }]);
  const [state] = await readChanges(db, [{ customerId: trade.customerId, revision }]);
  if (state === null || state === undefined || state === 'too many') throw new Error('no changes');
  const told = state.trades.flatMap(versionsOf).filter((version) => version.revision > revision);
  expect(told.map((version) => [version.revision - revision, version.trade.status])).toEqual([
    [1, 'placed'],
    [2, 'rejected'],
  ]);
});

test('a trade that did not ask to wait is rejected by an exchange that is closed', async () => {
  const [trade] = await bank.executes(100_000n, ...(await bank.places(order(await bank.opens()))));
  if (trade === undefined) throw new Error('not sent');
  expect(await settleTrades(db, [closed(trade)])).toMatchObject([{ trade: { status: 'rejected', rejectCode: 'MARKET_CLOSED' } }]);
});
