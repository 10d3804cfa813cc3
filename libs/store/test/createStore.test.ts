import { createServer } from 'node:net';
import { createMetrics, OverloadedError } from '@stockbroker/runtime';
import { createDatabase, dropDatabase, eventually } from '@stockbroker/testkit';
import type { InsertResult } from '@stockbroker/trade-flow';
import { StoreRefusedError, StoreUnavailableError } from '@stockbroker/trade-flow';
import { afterAll, expect, inject, onTestFinished, test } from 'vitest';
import { createStore, type Store, type StoreOptions } from '../src/createStore.ts';
import { fill, openBank, order } from './bank.ts';

const bank = await openBank();

function openStore(change: Partial<StoreOptions> = {}): Store {
  const defaults = {
    url: bank.url,
    poolSize: 5,
    statementTimeoutMs: 5_000,
    maxBatch: 256,
    maxQueue: 10_000,
    onConnectionError: () => {},
  };
  return createStore({ ...defaults, ...change }, createMetrics('test'));
}

const store = openStore();
afterAll(() => store.close());

test.each([
  ['a quantity that the database refuses', { quantity: 2_000_000 }],
  ['a quantity that is no integer', { quantity: 1.5 }],
  ['a ticker with a zero byte', { stockTicker: 'A\0' }],
  ['a ticker too long', { stockTicker: 'ABCDEFGHIJK' }],
  ['an id that is no UUID', { id: 'not-a-uuid' }],
])('a poison row fails alone: %s', async (_what, poison) => {
  const customerId = await bank.account();
  const orders = Array.from({ length: 21 }, (_, i) => order(customerId, i === 10 ? poison : {}));
  const results = await Promise.allSettled(orders.map((each) => store.insertTrade(each)));
  expect(results.map(({ status }) => status)).toEqual(orders.map((_, i) => (i === 10 ? 'rejected' : 'fulfilled')));
  expect(results[10]).toMatchObject({ reason: expect.any(StoreRefusedError) });
  const seqs = results.flatMap((result) => (result.status === 'fulfilled' ? seqOf(result.value) : []));
  expect(seqs).toEqual(seqs.toSorted((a, b) => Number(a - b)));
});

function seqOf(result: InsertResult): bigint {
  if (result.kind !== 'inserted') throw new Error(`not inserted: ${result.kind}`);
  return result.trade.seq;
}

test('a poison report fails alone, and the others of its batch settle', async () => {
  const customers = await Promise.all(Array.from({ length: 9 }, () => bank.account({ amount: 10n ** 13n })));
  const trades = await bank.executes(1n, ...(await bank.places(...customers.map((id) => order(id, { quantity: 1_000_000 })))));
  const results = await Promise.allSettled(trades.map((trade, i) => store.settleTrade(fill(trade, i === 4 ? 10n ** 17n : 1n))));
  expect(results.map(({ status }) => status)).toEqual(trades.map((_, i) => (i === 4 ? 'rejected' : 'fulfilled')));
  expect(results[4]).toMatchObject({ reason: expect.any(StoreRefusedError) });
});

test('a poison mark fails alone, and the others of its batch are marked', async () => {
  const customers = await Promise.all(Array.from({ length: 9 }, () => bank.account({ amount: 10n ** 13n })));
  const trades = await bank.places(...customers.map((id) => order(id, { quantity: 1_000_000 })));
  const epochs = await bank.leads(...trades.map(({ partition }) => partition));
  const marks = trades.map((trade, i) => {
    const limitPrice = i === 4 ? 10n ** 17n : 1n;
    return store.markExecuted({ trade, epoch: epochs.get(trade.partition) ?? 0n, decision: { limitPrice } });
  });
  const results = await Promise.allSettled(marks);
  expect(results.map(({ status }) => status)).toEqual(trades.map((_, i) => (i === 4 ? 'rejected' : 'fulfilled')));
});

test('a full queue refuses one more with OverloadedError, and what it took is done', async () => {
  const customerId = await bank.account();
  const small = openStore({ maxBatch: 1, maxQueue: 2 });
  onTestFinished(() => small.close());
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => small.insertTrade(order(customerId))));
  const refused = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
  expect(refused.length).toBeGreaterThan(0);
  for (const reason of refused) expect(reason).toBeInstanceOf(OverloadedError);
  expect(await bank.db.trade.count({ where: { customerId } })).toBe(50 - refused.length);
});

test('a withdrawn insertion that had not been sent is not done', async () => {
  const customerId = await bank.account();
  const withdrawn = AbortSignal.abort(new Error('the client went away'));
  await expect(store.insertTrade(order(customerId), withdrawn)).rejects.toThrow('the client went away');
  expect(await bank.db.trade.count({ where: { customerId } })).toBe(0);
});

test('close finishes what waits', async () => {
  const customerId = await bank.account();
  const closing = openStore({ maxBatch: 2 });
  const inserts = Array.from({ length: 20 }, () => closing.insertTrade(order(customerId)));
  await closing.close();
  expect(await bank.db.trade.count({ where: { customerId } })).toBe(20);
  await Promise.all(inserts);
});

test('a database that cannot be reached is StoreUnavailableError, for every operation', async () => {
  const lost = openStore({ url: 'postgresql://postgres:x@127.0.0.1:1/none' });
  onTestFinished(() => lost.close());
  const customerId = crypto.randomUUID();
  const operations = [
    lost.insertTrade(order(customerId)),
    lost.readTrade(customerId),
    lost.readAccount(customerId),
    lost.readOldestOpenTrade({ customerId, partition: 1, waiting: 'counted' }),
    lost.readOpenCustomers({ partition: 1, limit: 10, waiting: 'counted' }),
    lost.raiseEpoch(1, 'test'),
    lost.quarantineCallback({ tradeId: null, why: 'x', raw: Buffer.of() }),
    lost.listTrades({ customerId, partition: 1, before: null, statuses: [], limit: 1 }),
    lost.probe(),
  ];
  for (const result of await Promise.allSettled(operations)) {
    expect(result).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailableError) });
  }
});

test('a database that does not answer in time is StoreUnavailableError', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as { port: number };
  const waiting = openStore({ url: `postgresql://postgres:x@127.0.0.1:${port}/none`, statementTimeoutMs: 200 });
  await expect(waiting.probe()).rejects.toBeInstanceOf(StoreUnavailableError);
  await expect(waiting.insertTrade(order(crypto.randomUUID()))).rejects.toBeInstanceOf(StoreUnavailableError);
});

test('a statement that takes too long is given up as StoreUnavailableError', async () => {
  const impatient = openStore({ statementTimeoutMs: 1_000 });
  onTestFinished(() => impatient.close());
  const customerId = await bank.account();
  const locked = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const locking = bank.db.$transaction(
    async (tx) => {
      await tx.$executeRaw`SELECT FROM balances WHERE customer_id = ${customerId}::uuid FOR NO KEY UPDATE`;
      locked.resolve();
      await done.promise;
    },
    { timeout: 60_000 },
  );
  await locked.promise;
  await expect(impatient.insertTrade(order(customerId))).rejects.toBeInstanceOf(StoreUnavailableError);
  done.resolve();
  await locking;
  // Also on a machine that takes that long for a connection and a statement, now and then.
  const again = () => impatient.insertTrade(order(customerId)).catch((error: unknown) => error);
  const isInserted = (result: unknown) => (result as { kind?: string }).kind === 'inserted';
  await eventually(again, isInserted, { what: 'a statement in time' });
});

test('checkPartitions: the right number passes; another, or none at all, is an error that says what to do', async () => {
  await store.checkPartitions(100);
  const other = 'PARTITIONS is 50, but the database was created with 100: set PARTITIONS=100';
  await expect(store.checkPartitions(50)).rejects.toThrow(other);
  const name = `empty-${crypto.randomUUID()}`;
  const empty = openStore({ url: await createDatabase(inject('postgresUrl'), name) });
  onTestFinished(async () => {
    await empty.close();
    await dropDatabase(inject('postgresUrl'), name);
  });
  await expect(empty.checkPartitions(100)).rejects.toThrow('run npm run db:migrate');
});

test('a callback that is quarantined twice is kept once; another reason keeps it again', async () => {
  const tradeId = crypto.randomUUID();
  const callback = { tradeId, why: 'no trade has this id', raw: Buffer.from('{"odd": "body"}') };
  await store.quarantineCallback(callback);
  await store.quarantineCallback(callback);
  await store.quarantineCallback({ ...callback, why: 'another' });
  expect(await bank.db.callbackQuarantine.findMany({ where: { tradeId }, orderBy: { id: 'asc' } })).toMatchObject([
    { why: 'no trade has this id', raw: Uint8Array.from(callback.raw), resolvedAt: null },
    { why: 'another' },
  ]);
});
