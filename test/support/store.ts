import { createMetrics } from '@stockbroker/runtime';
import { createStore, type Store } from '@stockbroker/store';
import type { Broker } from '@stockbroker/testkit';

/** Uses the broker's database as one of its processes would. */
export async function withStore<T>({ databaseUrl }: Broker, use: (store: Store) => Promise<T>): Promise<T> {
  const options = {
    url: databaseUrl,
    poolSize: 2,
    statementTimeoutMs: 5_000,
    maxBatch: 1,
    maxQueue: 10,
    onConnectionError: () => {},
  };
  const store = createStore(options, createMetrics('test'));
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
