import { eventually } from '@stockbroker/testkit';
import type { Trade } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { cancelTrades } from '../src/cancelTrades.ts';
import { listTrades, type TradePage } from '../src/listTrades.ts';
import { markTradesExecuted } from '../src/markTradesExecuted.ts';
import { openAccounts } from '../src/openAccounts.ts';
import { raiseEpochs } from '../src/raiseEpochs.ts';
import { readAccounts } from '../src/readAccounts.ts';
import { readChanges } from '../src/readChanges.ts';
import { readOldestOpenTrades } from '../src/readOldestOpenTrades.ts';
import { readOpenCustomers } from '../src/readOpenCustomers.ts';
import { readTrades } from '../src/readTrades.ts';
import { settleTrades } from '../src/settleTrades.ts';
import { fill, mark, openBank, order, rejection } from './bank.ts';

const bank = await openBank();
const { db } = bank;

const idsOf = (trades: (Trade | null)[]) => trades.map((trade) => trade?.id ?? null);

test('readOldestOpenTrades: the oldest that is placed or executed, for each customer asked, null for none', async () => {
  const [busy, idle] = [await bank.account({ amount: 10_000_000n }), await bank.account()];
  const placed = await bank.places(order(busy), order(busy), order(busy));
  const { partition } = order(busy);
  const oldest = () =>
    readOldestOpenTrades(db, [
      { customerId: idle, partition: order(idle).partition, waiting: 'counted' },
      { customerId: busy, partition, waiting: 'counted' },
    ]);
  expect(idsOf(await oldest())).toEqual([null, placed[0]?.id]);
  const [executed] = await bank.executes(1n, ...placed.slice(0, 1));
  expect(await oldest()).toEqual([null, executed]);
  if (executed !== undefined) await settleTrades(db, [rejection(executed)]);
  expect(idsOf(await oldest())).toEqual([null, placed[1]?.id]);
});

test('readOpenCustomers: of each partition those with the oldest open trades first, at most the limit', async () => {
  // A database of its own: any partition may have the other tests' open trades.
  const bank = await openBank();
  const { db } = bank;
  const customers = await Promise.all(Array.from({ length: 5 }, () => bank.account({ amount: 10_000_000n })));
  const [a = '', b = '', c = '', d = '', e = ''] = customers;
  const inPartition = (customerId: string, partition: number) => order(customerId, { partition });
  const [first] = await bank.places(
    inPartition(a, 7),
    inPartition(b, 7),
    inPartition(c, 8),
    inPartition(d, 7),
    inPartition(a, 7),
    inPartition(e, 7),
  );
  const read = () =>
    readOpenCustomers(
      db,
      [7, 8, 9].map((partition) => ({ partition, limit: 3, waiting: 'counted' as const })),
    );
  expect(await read()).toEqual([[a, b, d], [c], []]);
  const [executed] = await bank.executes(1n, ...(first === undefined ? [] : [first]));
  if (executed !== undefined) await settleTrades(db, [fill(executed, 1n)]);
  expect(await read()).toEqual([[b, d, a], [c], []]);
});

test('readTrades: in the order asked for, null for an id that no trade has', async () => {
  const customerId = await bank.account();
  const [one, two] = await bank.places(order(customerId), order(customerId));
  const none = crypto.randomUUID();
  expect(await readTrades(db, [two?.id ?? '', none, one?.id ?? ''])).toEqual([two, null, one]);
});

test('readChanges: past 3,000 revisions there are too many changes to tell, whatever they were, and others are answered', async () => {
  const [old, other] = [await bank.account({ amount: 10_000_000n }), await bank.account()];
  const [trade] = await bank.places(order(old));
  await db.$executeRaw`UPDATE balances SET revision = 5000 WHERE customer_id = ${old}::uuid`;
  const since = (revision: number) => ({ customerId: old, revision });
  const answers = await readChanges(db, [since(0), since(1_999), { customerId: other, revision: 0 }, since(2_000)]);
  expect(answers).toMatchObject(['too many', 'too many', { revision: 0, trades: [] }, { revision: 5_000, trades: [] }]);
  await db.$executeRaw`UPDATE balances SET revision = 3000 WHERE customer_id = ${old}::uuid`;
  expect(await readChanges(db, [since(0)])).toMatchObject([{ revision: 3_000, trades: [{ id: trade?.id }] }]);
});

test('readChanges: a trade that ends after a younger one which was canceled, or was too late for the session, is told', async () => {
  const customerId = await bank.account({ amount: 10_000_000n });
  const [waits, one, canceled, late] = await bank.places(
    order(customerId, { queueForOpen: true }),
    order(customerId),
    order(customerId),
    order(customerId),
  );
  if (!waits || !one || !canceled || !late) throw new Error('not placed');
  const since = async (revision: number) => {
    const [state] = await readChanges(db, [{ customerId, revision }]);
    return state === null || state === undefined || state === 'too many' ? state : [state.revision, ...idsOf(state.trades)];
  };
  const tooLate = async (trade: Trade) => {
    const epoch = (await bank.leads(trade.partition)).get(trade.partition) ?? 0n;
    const [result] = await markTradesExecuted(db, [mark(trade, epoch, { refusal: { code: 'MARKET_CLOSED' } })]);
    expect(result).toMatchObject({ kind: 'marked', trade: { status: 'rejected' } });
  };
  await cancelTrades(db, [{ customerId, tradeId: canceled.id }]);
  await tooLate(one);
  await tooLate(late);
  expect(await since(4)).toEqual([7, one.id, canceled.id, late.id]);
  expect(await since(5)).toEqual([7, one.id, late.id]);
  await bank.executes(1n, waits);
  expect(await since(7)).toEqual([8, waits.id]);
  await settleTrades(db, [fill(waits, 1n)]);
  expect(await since(7)).toEqual([9, waits.id]);
  const [next] = await bank.places(order(customerId));
  expect(await since(9)).toEqual([10, next?.id]);
});

test('readChanges: where more than 3,000 revisions would have to be looked through, it is too much', async () => {
  const customerId = await bank.account({ amount: 10_000_000n });
  const since = (revision: number) => readChanges(db, [{ customerId, revision }]);
  const [waits] = await bank.places(order(customerId, { queueForOpen: true }));
  const cancels = (from: number, to: number) => db.$executeRaw`
    INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, status, reject_code, reason, placed_revision, final_revision)
    SELECT gen_random_uuid(), customer_id, partition, i, stock_ticker, type, quantity, 'rejected', 'CANCELED', 'x', i, i
    FROM trades CROSS JOIN generate_series(${from}::int, ${to}::int) AS i WHERE id = ${waits?.id}::uuid`;
  await cancels(2, 3_500);
  await db.$executeRaw`UPDATE balances SET revision = 3500 WHERE customer_id = ${customerId}::uuid`;
  expect(await since(501)).toEqual(['too many']); // Of the trades.
  const [state] = await since(3_000);
  expect(state).toMatchObject({ revision: 3_500, trades: { length: 500 } });
  expect(await since(3_001)).toEqual(['too many']); // The first trade is still open, and 3,000 revisions away.
});

test('listTrades: newest first, before a seq, in some statuses', async () => {
  const customerId = await bank.account({ amount: 10_000_000n });
  const placed = await bank.places(...Array.from({ length: 5 }, () => order(customerId)));
  await bank.executes(1n, ...placed.slice(0, 1));
  const { partition = 0 } = placed[0] ?? {};
  const list = async (page: Partial<TradePage>) => {
    const [listed] = await listTrades(db, [{ customerId, partition, before: null, statuses: [], limit: 10, ...page }]);
    return idsOf(listed?.trades ?? []);
  };
  const newestFirst = idsOf(placed).toReversed();
  expect(await list({})).toEqual(newestFirst);
  expect(await list({ limit: 2 })).toEqual(newestFirst.slice(0, 2));
  expect(await list({ before: placed[2]?.seq ?? null })).toEqual(newestFirst.slice(3));
  expect(await list({ statuses: ['executed'] })).toEqual(newestFirst.slice(4));
  expect(await list({ statuses: ['placed', 'filled'], limit: 1 })).toEqual(newestFirst.slice(0, 1));

  const other = await bank.account();
  const page = { partition, before: null, statuses: [], limit: 2 };
  const stranger = crypto.randomUUID();
  const lists = await listTrades(db, [
    { customerId: other, ...page },
    { customerId, ...page },
    { customerId: stranger, ...page },
  ]);
  expect(lists.map(({ trades }) => idsOf(trades))).toEqual([[], newestFirst.slice(0, 2), []]);
});

test('readAccounts: cash and shares, without stocks of which there are none; null for a stranger', async () => {
  const customerId = crypto.randomUUID();
  const other = await bank.account({ amount: 7n });
  expect(await readAccounts(db, [customerId])).toEqual([null]);
  expect(await openAccounts(db, [{ customerId, cash: 5n, shares: { MSFT: 2, AAPL: 1, GME: 0 } }])).toBe(1);
  expect(await openAccounts(db, [{ customerId, cash: 9n, shares: { MSFT: 9 } }])).toBe(0);
  const account = {
    customerId,
    amount: 5n,
    held: 0n,
    buysBlocked: false,
    positions: [
      { stockTicker: 'AAPL', quantity: 1n, held: 0n },
      { stockTicker: 'MSFT', quantity: 2n, held: 0n },
    ],
  };
  expect(await readAccounts(db, [customerId, crypto.randomUUID(), other, customerId])).toMatchObject([
    account,
    null,
    { customerId: other, amount: 7n },
    account,
  ]);
});

test('raiseEpochs: each takeover gets an epoch of its own, however many come at once', async () => {
  const takeovers = Array.from({ length: 20 }, (_, i) => raiseEpochs(db, [{ partition: 50, leader: `worker-${i}` }]));
  const epochs = (await Promise.all(takeovers)).flat().map(({ epoch }) => epoch);
  expect(new Set(epochs).size).toBe(20);
  const last = epochs.reduce((a, b) => (a > b ? a : b));
  const lease = () => db.partitionLease.findUnique({ where: { partition: 50 } });
  await eventually(lease, (found) => found?.epoch === last && found.leader === `worker-${epochs.indexOf(last)}`);
  await expect(raiseEpochs(db, [{ partition: 100, leader: 'nobody' }])).rejects.toThrow(
    'partition 100 is not in partition_leases',
  );
});
