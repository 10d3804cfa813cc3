import type { OrderReport, Trade } from '@stockbroker/trading';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { settleTrades } from '../src/settleTrades.ts';
import { fill, openBank, order, rejection, shuffled } from './bank.ts';

const bank = await openBank();
const { db } = bank;

const LIMIT = 100_000n;

/** An executed order of ten AAPL with a limit of 10.00, of a customer with 1,000 dollars and 20 shares. */
async function executedTrade(type: Trade['type'] = 'buy'): Promise<Trade> {
  const customerId = await bank.account({ amount: 10_000_000n, shares: 20n });
  const [trade] = await bank.executes(LIMIT, ...(await bank.places(order(customerId, { type, quantity: 10 }))));
  if (trade === undefined) throw new Error('not executed');
  return trade;
}

const stored = (trade: Trade) => db.trade.findUnique({ where: { id: trade.id } });
const isOpen = async (trade: Trade) => (await db.openTrade.count({ where: { tradeId: trade.id } })) === 1;

test('a filled buy: the cost is taken, the hold released, the shares brought', async () => {
  const trade = await executedTrade();
  expect(await bank.balance(trade.customerId)).toMatchObject({ held: 1_000_000n });
  const [settled] = await settleTrades(db, [fill(trade, 99_999n)]);
  expect(settled).toMatchObject({
    overdrawn: false,
    trade: { status: 'filled', price: 99_999n, executionId: `fill-${trade.id}` },
  });
  expect(settled?.trade).toEqual(await stored(trade));
  expect(await bank.balance(trade.customerId)).toEqual({ amount: 9_000_010n, held: 0n, buysBlocked: false });
  expect(await bank.shares(trade.customerId)).toEqual({ quantity: 30n, held: 0n });
  expect(await isOpen(trade)).toBe(false);
});

test('a filled sell: the shares are taken, the proceeds brought', async () => {
  const trade = await executedTrade('sell');
  expect(await bank.shares(trade.customerId)).toEqual({ quantity: 20n, held: 10n });
  await settleTrades(db, [fill(trade, 100_001n)]);
  expect(await bank.balance(trade.customerId)).toEqual({ amount: 11_000_010n, held: 0n, buysBlocked: false });
  expect(await bank.shares(trade.customerId)).toEqual({ quantity: 10n, held: 0n });
});

test('the first shares of a stock make a position', async () => {
  const customerId = await bank.account({ amount: 10_000_000n });
  const placed = await bank.places(order(customerId, { stockTicker: 'BRK.B' }));
  const [trade] = await bank.executes(LIMIT, ...placed);
  if (trade === undefined) throw new Error('not executed');
  await settleTrades(db, [fill(trade, LIMIT)]);
  expect(await bank.shares(customerId, 'BRK.B')).toEqual({ quantity: 1n, held: 0n });
});

test.each(['buy', 'sell'] as const)('a rejected %s releases its hold and moves nothing', async (type) => {
  const trade = await executedTrade(type);
  const [settled] = await settleTrades(db, [rejection(trade, 'too late')]);
  expect(settled).toMatchObject({
    overdrawn: false,
    trade: {
      status: 'rejected',
      rejectCode: 'EXCHANGE_REJECTED',
      reason: 'The exchange rejected the order: too late',
      price: null,
    },
  });
  expect(await bank.balance(trade.customerId)).toEqual({ amount: 10_000_000n, held: 0n, buysBlocked: false });
  expect(await bank.shares(trade.customerId)).toEqual({ quantity: 20n, held: 0n });
  expect(await isOpen(trade)).toBe(false);
});

test('a report settles once, however often it comes at once', async () => {
  const trade = await executedTrade();
  const results = (await Promise.all(Array.from({ length: 30 }, () => settleTrades(db, [fill(trade, LIMIT)])))).flat();
  expect(results.filter((result) => result !== null)).toHaveLength(1);
  expect(await bank.balance(trade.customerId)).toEqual({ amount: 9_000_000n, held: 0n, buysBlocked: false });
  expect(await bank.shares(trade.customerId)).toEqual({ quantity: 30n, held: 0n });
});

test('a fill and a rejection at once: one of them settles', async () => {
  const trade = await executedTrade();
  const reports = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? fill(trade, LIMIT) : rejection(trade)));
  const settled = (await Promise.all(reports.map((report) => settleTrades(db, [report])))).flat().filter((each) => each !== null);
  expect(settled).toHaveLength(1);
  const spent = settled[0]?.trade.status === 'filled' ? 1_000_000n : 0n;
  expect(await bank.balance(trade.customerId)).toEqual({ amount: 10_000_000n - spent, held: 0n, buysBlocked: false });
});

test.each<[string, Partial<OrderReport>]>([
  ['ticker', { stockTicker: 'MSFT' }],
  ['type', { type: 'sell' }],
  ['quantity', { quantity: 9 }],
  ['id', { tradeId: crypto.randomUUID() }],
])('a report with another %s than the trade’s changes nothing; its neighbours settle', async (_what, difference) => {
  const [trade, neighbour] = [await executedTrade(), await executedTrade()];
  const results = await settleTrades(db, [fill(trade, LIMIT, difference), fill(neighbour, LIMIT)]);
  expect(results).toMatchObject([null, { trade: { id: neighbour.id } }]);
  expect(await stored(trade)).toEqual(trade);
  expect(await isOpen(trade)).toBe(true);
});

test('a report of a trade that was never sent changes nothing', async () => {
  const [trade] = await bank.places(order(await bank.account({ amount: 10_000_000n })));
  if (trade === undefined) throw new Error('not placed');
  expect(await settleTrades(db, [fill(trade, LIMIT)])).toEqual([null]);
  expect(await stored(trade)).toEqual(trade);
});

/** Of a customer with exactly the hold of ten at 10.00, or with more. */
test.each<[string, { amount: bigint; price: bigint; overdrawn: boolean }]>([
  ['below the hold', { amount: 1_000_000n, price: 99_999n, overdrawn: false }],
  ['at the hold, which is all cash', { amount: 1_000_000n, price: 100_000n, overdrawn: false }],
  ['above the hold, but within the cash', { amount: 5_000_000n, price: 100_001n, overdrawn: true }],
  ['above all cash', { amount: 1_000_000n, price: 100_001n, overdrawn: true }],
])('a fill %s is booked as it is', async (_what, { amount, price, overdrawn }) => {
  const customerId = await bank.account({ amount });
  const [trade] = await bank.executes(LIMIT, ...(await bank.places(order(customerId, { quantity: 10 }))));
  if (trade === undefined) throw new Error('not executed');
  expect(await settleTrades(db, [fill(trade, price)])).toMatchObject([{ overdrawn }]);
  expect(await bank.balance(customerId)).toEqual({ amount: amount - 10n * price, held: 0n, buysBlocked: overdrawn });
});

test('a block stays when a later fill is in order', async () => {
  const trade = await executedTrade();
  await settleTrades(db, [fill(trade, 100_001n)]);
  const placed = await bank.places(order(trade.customerId, { type: 'sell' }));
  const [sell] = await bank.executes(LIMIT, ...placed);
  if (sell === undefined) throw new Error('not executed');
  expect(await settleTrades(db, [fill(sell, LIMIT)])).toMatchObject([{ overdrawn: false }]);
  expect(await bank.balance(trade.customerId)).toMatchObject({ buysBlocked: true });
});

test('batches of the same reports in any order, at once: each trade settles once, nothing deadlocks, no cent is lost', async () => {
  const anyOrder = fc.record({ type: fc.constantFrom('buy', 'sell'), price: fc.bigInt(1n, LIMIT), filled: fc.boolean() });
  const property = fc.asyncProperty(fc.array(anyOrder, { minLength: 2, maxLength: 30 }), async (cases) => {
    const placing = cases.map(async ({ type }) =>
      order(await bank.account({ amount: 10_000_000n, shares: 20n }), { type, quantity: 10 }),
    );
    const trades = await bank.executes(LIMIT, ...(await bank.places(...(await Promise.all(placing)))));
    const reports = trades.map((trade, i) => (cases[i]?.filled ? fill(trade, cases[i].price) : rejection(trade)));
    const batches = await Promise.all(Array.from({ length: 5 }, () => settleTrades(db, shuffled(reports))));
    expect(batches.flat().filter((each) => each !== null)).toHaveLength(trades.length);
    for (const [i, { type, price, filled }] of cases.entries()) {
      const moved = !filled ? 0n : type === 'buy' ? 10n : -10n;
      const customerId = trades[i]?.customerId ?? '';
      expect(await bank.balance(customerId)).toEqual({ amount: 10_000_000n - moved * price, held: 0n, buysBlocked: false });
      expect(await bank.shares(customerId)).toEqual({ quantity: 20n + moved, held: 0n });
    }
  });
  await fc.assert(property, { numRuns: 8 });
});
