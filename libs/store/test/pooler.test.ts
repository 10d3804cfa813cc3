import { createMetrics } from '@stockbroker/runtime';
import { findPgbouncer, startPgbouncer } from '@stockbroker/testkit';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createStore, type Store } from '../src/createStore.ts';
import { openBank, order } from './bank.ts';

const { url, opens } = await openBank();
/** The one part that is no part of the broker: where it cannot be had, there is nothing to test. */
const missing = await findPgbouncer().then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) process.stderr.write(`not tested: ${missing}\n`);

async function through(poolMode: string): Promise<Store> {
  const pooler = await startPgbouncer({ postgresUrl: inject('postgresUrl'), poolMode });
  const at = new URL(url);
  at.port = String(pooler.port);
  const limits = { poolSize: 3, statementTimeoutMs: 5_000, maxBatch: 256, maxQueue: 1_000 };
  const store = createStore({ url: at.href, ...limits, onConnectionError: () => {} }, createMetrics('test'));
  onTestFinished(async () => {
    await store.close();
    await pooler.stop();
  });
  return store;
}

test.skipIf(missing)('a PgBouncer in session mode is as good as PostgreSQL itself', async () => {
  const store = await through('session');
  await store.checkPartitions(100);
  const customers = await Promise.all(Array.from({ length: 20 }, opens));
  const placed = await Promise.all(customers.map((customerId) => store.insertTrade(order(customerId))));
  expect(placed.filter(({ kind }) => kind === 'inserted')).toHaveLength(customers.length);
  await store.probe();
});

test.skipIf(missing).each(['transaction', 'statement'])('a PgBouncer in %s mode is refused with a sentence', async (poolMode) => {
  const store = await through(poolMode);
  await expect(store.checkPartitions(100)).rejects.toThrow(
    'DATABASE_URL leads through a pooler that shares sessions between connections, and settings and prepared statements get lost in it: ' +
      'connect to PostgreSQL itself, or set the pooler to session mode (PgBouncer: pool_mode = session)',
  );
});
