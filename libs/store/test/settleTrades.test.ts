import { eventually } from '@stockbroker/testkit';
import type { OrderReport, Trade } from '@stockbroker/trading';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openStatements } from '../src/createStore.ts';
import { settleTrades } from '../src/settleTrades.ts';
import { fill, openBank, openTransaction, order, rejection, shuffled, waitingForLocks } from './bank.ts';

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

/** The report of a fill with an execution id that is not the trade's own. */
const filledAs = (trade: Trade, executionId: string) =>
  fill(trade, LIMIT, { outcome: { kind: 'filled', price: LIMIT, executionId, executedAt: new Date(1_700_000_000_000) } });

test('an execution is booked for one trade: reported for a second one it changes nothing, and the true fill of that is booked later', async () => {
  const [first, second] = [await executedTrade(), await executedTrade('sell')];
  expect(await settleTrades(db, [filledAs(first, 'once')])).toMatchObject([{ trade: { executionId: 'once' } }]);
  expect(await settleTrades(db, [filledAs(second, 'once')])).toEqual([null]);
  expect(await stored(second)).toEqual(second);
  expect(await isOpen(second)).toBe(true);
  expect(await settleTrades(db, [fill(second, LIMIT)])).toMatchObject([{ trade: { status: 'filled' } }]);
  expect(await settleTrades(db, [filledAs(first, 'once')])).toEqual([null]); // A duplicate.
});

test('an execution reported for several trades of one batch is booked for the first that it fits; the neighbours settle', async () => {
  const [misfit, first, second, neighbour] = [
    await executedTrade(),
    await executedTrade(),
    await executedTrade(),
    await executedTrade(),
  ];
  const misfitting = { ...filledAs(misfit, 'in-one-batch'), quantity: 9 };
  const reports = [misfitting, filledAs(first, 'in-one-batch'), filledAs(second, 'in-one-batch'), fill(neighbour, LIMIT)];
  expect(await settleTrades(db, reports)).toMatchObject([
    null,
    { trade: { id: first.id } },
    null,
    { trade: { id: neighbour.id } },
  ]);
  expect(await stored(second)).toEqual(second);
});

test('an execution reported at once for two trades, to two servers: one of them is filled, whatever waits for whom', async () => {
  const { settleTrades: settle } = openStatements(db);
  for (let round = 0; round < 10; round += 1) {
    const trades: Trade[] = [];
    for (let i = 0; i < 6; i += 1) trades.push(await executedTrade()); // Each raises an epoch, perhaps of one partition.
    const reports = trades.map((trade, i) => filledAs(trade, `at-once-${round}-${i % 3}`));
    const batches = [reports.slice(0, 3), reports.slice(3).toReversed()];
    const results = (await Promise.all(batches.map((batch) => settle(batch)))).flat();
    expect(results.filter((each) => each !== null)).toHaveLength(3);
    const rows = await Promise.all(trades.map(stored));
    expect(rows.filter((row) => row?.status === 'filled')).toHaveLength(3);
    expect(rows.filter((row) => row?.status === 'executed')).toHaveLength(3);
  }
});

test('a report that a second one overtook has entered no execution', async () => {
  const [trade, other] = [await executedTrade(), await executedTrade()];
  const open = await openTransaction(bank.url, (tx) => settleTrades(tx, [fill(trade, LIMIT)]));
  const late = settleTrades(db, [filledAs(trade, 'never-booked')]);
  await eventually(
    () => waitingForLocks(db),
    (waiting) => waiting > 0,
    { what: 'the second to wait for the first' },
  );
  await open.commit();
  expect(await late).toEqual([null]);
  expect(await settleTrades(db, [filledAs(other, 'never-booked')])).toMatchObject([{ trade: { id: other.id } }]);
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
