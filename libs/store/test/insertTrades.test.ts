import { eventually } from '@stockbroker/testkit';
import { expect, test } from 'vitest';
import { cancelTrades } from '../src/cancelTrades.ts';
import { insertTrades } from '../src/insertTrades.ts';
import { readOldestOpenTrades } from '../src/readOldestOpenTrades.ts';
import { openBank, openTransaction, order, shuffled, waitingForLocks } from './bank.ts';

const bank = await openBank();
const { db } = bank;

test('a batch is stored in its order, whatever customers are in it', async () => {
  const customers = await Promise.all(Array.from({ length: 10 }, () => bank.account()));
  const orders = shuffled(Array.from({ length: 100 }, (_, i) => order(customers[i % 10] ?? '')));
  const trades = await bank.places(...orders);
  expect(trades.map(({ id }) => id)).toEqual(orders.map(({ id }) => id));
  const stored = await db.trade.findMany({ where: { customerId: { in: customers } }, orderBy: { seq: 'asc' } });
  expect(stored.map(({ id }) => id)).toEqual(orders.map(({ id }) => id));
  expect(stored).toEqual(trades);
});

test('a trade placed again under its client_order_id is the first one, as it stands now', async () => {
  const customerId = await bank.account({ amount: 1_000_000n });
  const [first] = await bank.places(order(customerId, { clientOrderId: 'mine' }));
  if (first === undefined) throw new Error('not placed');
  const [executed] = await bank.executes(100_000n, first);
  const [again, other] = await insertTrades(db, [order(customerId, { clientOrderId: 'mine' }), order(customerId)]);
  expect(again).toEqual({ kind: 'existing', trade: executed });
  expect(other).toMatchObject({ kind: 'inserted' });
});

test('copies in one batch are one trade: the first', async () => {
  const customerId = await bank.account();
  const orders = [1, 2, 3].map((quantity) => order(customerId, { clientOrderId: 'mine', quantity }));
  const results = await insertTrades(db, orders);
  expect(results.map(({ kind }) => kind)).toEqual(['inserted', 'existing', 'existing']);
  expect(results[2]).toMatchObject({ trade: { id: orders[0]?.id, quantity: 1 } });
  expect(await db.openTrade.count({ where: { customerId } })).toBe(1);
});

test('copies in fifty batches at once are one trade', async () => {
  const customerId = await bank.account();
  const batches = Array.from({ length: 50 }, () => insertTrades(db, [order(customerId, { clientOrderId: 'mine' })]));
  const results = (await Promise.all(batches)).flat();
  expect(results.filter(({ kind }) => kind === 'inserted')).toHaveLength(1);
  const ids = results.map((result) => ('trade' in result ? result.trade.id : result.kind));
  expect(new Set(ids).size).toBe(1);
});

test('a customer’s open trades are limited: of a batch the first find room, and what is stored already takes none', async () => {
  const customerId = await bank.account();
  const other = await bank.account();
  const [oldest, second] = await bank.places(order(customerId), order(customerId));
  if (oldest === undefined || second === undefined) throw new Error('not placed');
  const again = order(customerId, { clientOrderId: oldest.clientOrderId });
  const twice = order(customerId);
  const batch = [order(other), again, twice, order(customerId), { ...twice, id: again.id }, order(customerId), order(customerId)];
  const results = await insertTrades(db, [...batch, again], 4);
  const refused = { kind: 'too-many-open', open: 4, limit: 4 };
  expect(results).toMatchObject([
    { kind: 'inserted' },
    { kind: 'existing', trade: { id: oldest.id } },
    { kind: 'inserted' },
    { kind: 'inserted' },
    { kind: 'existing', trade: { id: twice.id } },
    refused,
    refused,
    { kind: 'existing', trade: { id: oldest.id } },
  ]);
  await cancelTrades(db, [{ customerId, tradeId: second.id }]);
  expect(await insertTrades(db, [order(customerId), order(customerId)], 4)).toMatchObject([{ kind: 'inserted' }, refused]);
});

test('the limit holds for batches at once, which count what was committed while they waited', async () => {
  const customerId = await bank.account();
  const batches = Array.from({ length: 20 }, () => insertTrades(db, [order(customerId), order(customerId)], 7));
  const kinds = (await Promise.all(batches)).flat().map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'inserted')).toHaveLength(7);
  expect(kinds.filter((kind) => kind === 'too-many-open')).toHaveLength(33);
  expect(await db.openTrade.count({ where: { customerId } })).toBe(7);
});

test('a trade of a customer without an account is not stored, its neighbours are', async () => {
  const customerId = await bank.account();
  const stranger = crypto.randomUUID();
  const results = await insertTrades(db, [order(stranger), order(customerId)]);
  expect(results.map(({ kind }) => kind)).toEqual(['no-account', 'inserted']);
  expect(await db.trade.count({ where: { customerId: stranger } })).toBe(0);
});

test('a later trade of a customer waits for an earlier one that is not committed: a lower seq never becomes visible after a higher', async () => {
  const customerId = await bank.account();
  const other = await bank.account();
  const first = await openTransaction(bank.url, (tx) => insertTrades(tx, [order(customerId)]));
  const second = insertTrades(db, [order(customerId)]);
  await eventually(
    () => waitingForLocks(db),
    (waiting) => waiting > 0,
    { what: 'the second trade waiting for the first' },
  );
  await bank.places(order(other));
  expect(await readOldestOpenTrades(db, [{ customerId, partition: order(customerId).partition, waiting: 'counted' }])).toEqual([
    null,
  ]);
  await first.commit();
  const [a, b] = [first.result[0], (await second)[0]];
  if (a?.kind !== 'inserted' || b?.kind !== 'inserted') throw new Error('not inserted');
  expect(b.trade.seq).toBeGreaterThan(a.trade.seq);
});

test('batches with the same customers in any order do not deadlock', async () => {
  const customers = await Promise.all(Array.from({ length: 20 }, () => bank.account()));
  const batches = Array.from({ length: 60 }, () =>
    insertTrades(
      db,
      shuffled(customers).map((id) => order(id)),
    ),
  );
  const kinds = (await Promise.all(batches)).flat().map(({ kind }) => kind);
  expect(new Set(kinds)).toEqual(new Set(['inserted']));
  expect(await db.openTrade.count({ where: { customerId: { in: customers } } })).toBe(1_200);
});
