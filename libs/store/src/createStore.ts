import { Batcher, type BatcherOptions, type ConfigOf, type Log, type Metrics, SIZE_BUCKETS } from '@stockbroker/runtime';
import { type ExecutingStore, type PlacingStore, type SettlingStore, StoreRefusedError } from '@stockbroker/trade-flow';
import type { Trade } from '@stockbroker/trading';
import { type Database, type DatabaseOptions, openDatabase } from './database.ts';
import { attempt } from './errors.ts';
import { insertTrades } from './insertTrades.ts';
import { listTrades, type TradePage } from './listTrades.ts';
import { markTradesExecuted } from './markTradesExecuted.ts';
import { quarantineCallbacks } from './quarantineCallbacks.ts';
import { raiseEpochs } from './raiseEpochs.ts';
import { type AccountRecord, readAccount } from './readAccount.ts';
import { readOldestOpenTrades } from './readOldestOpenTrades.ts';
import { readOpenCustomers } from './readOpenCustomers.ts';
import { readTrades } from './readTrades.ts';
import { settleTrades } from './settleTrades.ts';
import type { storeVariables } from './variables.ts';

export interface StoreOptions extends DatabaseOptions {
  /** Rows in one statement. */
  maxBatch: number;
  /** Operations waiting of each kind, before one more is refused with OverloadedError. */
  maxQueue: number;
}

/** A page may have 500 trades: this bounds the answer to one statement. */
const PAGES_IN_A_BATCH = 32;

/** The broker's database, as the flow's ports and a few plain reads. */
export interface Store extends PlacingStore, ExecutingStore, SettlingStore {
  raiseEpoch(partition: number, leader: string): Promise<bigint>;
  listTrades(page: TradePage): Promise<Trade[]>;
  readAccount(customerId: string): Promise<AccountRecord | null>;
  /** Does one round trip. @throws StoreUnavailableError */
  ping(): Promise<void>;
  /** @throws Error when the database was created with another number of partitions, or not migrated */
  checkPartitions(partitions: number): Promise<void>;
  /** Finishes what waits, then closes the connections. */
  close(): Promise<void>;
}

/**
 * The store of a process, as its environment says.
 *
 * @throws Error when the database has another number of partitions than this process is told
 */
export async function openStore(config: ConfigOf<typeof storeVariables>, log: Log, metrics: Metrics): Promise<Store> {
  const store = createStore(
    {
      url: config.DATABASE_URL,
      poolSize: config.DATABASE_POOL,
      statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
      maxBatch: config.BATCH_ROWS,
      maxQueue: config.QUEUE_ROWS,
      onConnectionError: (error) => log.warn({ err: error }, 'database connection lost'),
    },
    metrics,
  );
  await store.checkPartitions(config.PARTITIONS);
  return store;
}

/** Batches every hot operation: one statement of a kind is in flight, the next batch fills meanwhile. */
export function createStore(options: StoreOptions, metrics: Metrics): Store {
  const db = openDatabase(options);
  const sizes = metrics.histogram('store_batch_rows', 'Rows in one statement', ['statement'], SIZE_BUCKETS);
  const seconds = metrics.histogram('store_statement_seconds', 'Duration of one statement', ['statement']);
  const batchers: Batcher<never, never>[] = [];

  const batched = <Item, Result>(
    name: string,
    run: (items: Item[]) => Promise<Result[]>,
    more: Partial<Pick<BatcherOptions<Item, Result>, 'key' | 'concurrency' | 'maxBatch'>> = {},
  ) => {
    const batcher = new Batcher<Item, Result>({
      name,
      concurrency: 1,
      maxBatch: options.maxBatch,
      maxQueue: options.maxQueue,
      isItemError: (error) => error instanceof StoreRefusedError,
      onBatch: (size) => sizes.observe({ statement: name }, size),
      ...more,
      run: async (items) => {
        const end = seconds.startTimer({ statement: name });
        try {
          return await attempt(() => run(items));
        } finally {
          end();
        }
      },
    });
    batchers.push(batcher as unknown as Batcher<never, never>);
    metrics.gauge(`store_${name}_queued`, 'Operations waiting for their batch', () => batcher.queued);
    return batcher.submit;
  };

  const readOpen = batched('readOpenCustomers', (asked: { partition: number; limit: number }[]) => readOpenCustomers(db, asked));
  const raise = batched('raiseEpochs', (takeovers: { partition: number; leader: string }[]) => raiseEpochs(db, takeovers), {
    key: ({ partition }) => String(partition),
  });
  return {
    insertTrade: batched('insertTrades', (trades: Parameters<typeof insertTrades>[1]) => insertTrades(db, trades), {
      concurrency: 2,
    }),
    readOldestOpenTrade: batched('readOldestOpenTrades', (customers: Parameters<typeof readOldestOpenTrades>[1]) =>
      readOldestOpenTrades(db, customers),
    ),
    markExecuted: batched(
      'markTradesExecuted',
      (marks: Parameters<typeof markTradesExecuted>[1]) => markTradesExecuted(db, marks),
      {
        key: ({ trade }) => trade.customerId,
      },
    ),
    settleTrade: batched('settleTrades', (reports: Parameters<typeof settleTrades>[1]) => settleTrades(db, reports), {
      key: ({ tradeId }) => tradeId,
    }),
    readTrade: batched('readTrades', (ids: string[]) => readTrades(db, ids)),
    readOpenCustomers: (partition, limit) => readOpen({ partition, limit }),
    raiseEpoch: (partition, leader) => raise({ partition, leader }),
    quarantineCallback: (callback) => attempt(() => quarantineCallbacks(db, [callback])),
    listTrades: batched('listTrades', (pages: TradePage[]) => listTrades(db, pages), {
      maxBatch: PAGES_IN_A_BATCH,
      concurrency: 2,
    }),
    readAccount: (customerId) => attempt(() => readAccount(db, customerId)),
    ping: async () => {
      await attempt(() => db.$queryRaw`SELECT 1`);
    },
    checkPartitions: async (partitions) => {
      const count = await attempt(() => countPartitions(db));
      if (count === partitions) return;
      const hint = count === 0 ? 'it has no partitions yet: run npm run db:migrate' : `set PARTITIONS=${count}`;
      throw new Error(`PARTITIONS is ${partitions}, but the database was created with ${count}: ${hint}`);
    },
    close: async () => {
      await Promise.all(batchers.map((batcher) => batcher.idle()));
      await db.$disconnect();
    },
  };
}

/** 0 also when there are no tables yet: to whoever starts the process it is the same. */
async function countPartitions(db: Database): Promise<number> {
  const [found] = await db.$queryRaw<{ name: string | null }[]>`SELECT to_regclass('partition_leases')::text AS name`;
  return found?.name == null ? 0 : db.partitionLease.count();
}
