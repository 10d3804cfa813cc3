import { createMetrics } from '@stockbroker/runtime';
import { eventually } from '@stockbroker/testkit';
import { expect, test } from 'vitest';
import { createStore } from '../src/createStore.ts';
import { fill, openBank, order } from './bank.ts';

test('a trade’s statements read no whole table, however small it was when they were prepared', async () => {
  const { url, db, opens, leads } = await openBank();
  const customers = await Promise.all(Array.from({ length: 200 }, opens));
  await db.$executeRawUnsafe('ANALYZE');
  const store = createStore(
    { url, poolSize: 5, statementTimeoutMs: 5_000, maxBatch: 256, maxQueue: 10_000, onConnectionError: () => {} },
    createMetrics('test'),
  );
  const trade = async (customerId: string, type: 'buy' | 'sell') => {
    const placed = await store.insertTrade(order(customerId, { type }));
    if (placed.kind !== 'inserted') throw new Error(placed.kind);
    const { partition } = placed.trade;
    await store.readOpenCustomers({ partition, limit: 10, waiting: 'counted' });
    const oldest = await store.readOldestOpenTrade({ customerId, partition, waiting: 'counted' });
    if (oldest === null) throw new Error('no open trade');
    const epoch = epochs.get(partition) ?? 0n;
    await store.markExecuted({ trade: oldest, epoch, decision: { limitPrice: 10_000n } });
    await store.settleTrade(fill(oldest, 10_000n));
    return store.readTrade(oldest.id);
  };
  const epochs = await leads(...Array.from({ length: 100 }, (_, partition) => partition));
  const traded = await Promise.all(customers.map((customerId, i) => trade(customerId, i % 2 === 0 ? 'buy' : 'sell')));
  expect(traded.filter((each) => each?.status === 'filled')).toHaveLength(customers.length);
  await store.close(); // A connection that ends tells the server's statistics what it has read.

  const readTables = () => db.$queryRaw<{ name: string; indexScans: bigint; wholeScans: bigint }[]>`
    SELECT relname AS name, coalesce(idx_scan, 0) AS "indexScans", seq_scan AS "wholeScans" FROM pg_stat_user_tables
    WHERE relname IN ('trades', 'balances', 'positions', 'open_trades', 'executions')`;
  const read = await eventually(readTables, (tables) => tables.filter(({ indexScans }) => indexScans > 0n).length === 5, {
    what: 'the statistics',
  });
  expect(read.filter(({ wholeScans }) => wholeScans > 0n)).toEqual([]);
});
