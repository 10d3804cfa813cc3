import { eventually } from '@stockbroker/testkit';
import type { Trade } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { listTrades, type TradePage } from '../src/listTrades.ts';
import { openAccounts } from '../src/openAccounts.ts';
import { raiseEpochs } from '../src/raiseEpochs.ts';
import { readAccounts } from '../src/readAccounts.ts';
import { readChanges } from '../src/readChanges.ts';
import { readOldestOpenTrades } from '../src/readOldestOpenTrades.ts';
import { readOpenCustomers } from '../src/readOpenCustomers.ts';
import { readTrades } from '../src/readTrades.ts';
import { settleTrades } from '../src/settleTrades.ts';
import { fill, openBank, order, rejection } from './bank.ts';

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

test('listTrades: newest first, before a seq, in some statuses', async () => {
  const customerId = await bank.account({ amount: 10_000_000n });
  const placed = await bank.places(...Array.from({ length: 5 }, () => order(customerId)));
  await bank.executes(1n, ...placed.slice(0, 1));
  const list = async (page: Partial<TradePage>) => {
    const [listed = []] = await listTrades(db, [{ customerId, before: null, statuses: [], limit: 10, ...page }]);
    return idsOf(listed);
  };
  const newestFirst = idsOf(placed).toReversed();
  expect(await list({})).toEqual(newestFirst);
  expect(await list({ limit: 2 })).toEqual(newestFirst.slice(0, 2));
  expect(await list({ before: placed[2]?.seq ?? null })).toEqual(newestFirst.slice(3));
  expect(await list({ statuses: ['executed'] })).toEqual(newestFirst.slice(4));
  expect(await list({ statuses: ['placed', 'filled'], limit: 1 })).toEqual(newestFirst.slice(0, 1));

  const other = await bank.account();
  const page = { before: null, statuses: [], limit: 2 };
  const stranger = crypto.randomUUID();
  const lists = await listTrades(db, [
    { customerId: other, ...page },
    { customerId, ...page },
    { customerId: stranger, ...page },
  ]);
  expect(lists.map(idsOf)).toEqual([[], newestFirst.slice(0, 2), []]);
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
  const epochs = (await Promise.all(takeovers)).flat();
  expect(new Set(epochs).size).toBe(20);
  const last = epochs.reduce((a, b) => (a > b ? a : b));
  const lease = () => db.partitionLease.findUnique({ where: { partition: 50 } });
  await eventually(lease, (found) => found?.epoch === last && found.leader === `worker-${epochs.indexOf(last)}`);
  await expect(raiseEpochs(db, [{ partition: 100, leader: 'nobody' }])).rejects.toThrow(
    'partition 100 is not in partition_leases',
  );
});
