import { type ConfigOf, type Log, type Metrics, systemClock } from '@stockbroker/runtime';
import type { RetriedStore } from '@stockbroker/trade-flow';
import type { Account } from '@stockbroker/trading';
import { Batchers, type BatchLimits, batchStatements, type Statements, type TradeStore } from './batchStatements.ts';
import { cancelTrades } from './cancelTrades.ts';
import type { Settings } from './connectionSettings.ts';
import { openConnections } from './connections.ts';
import { DatabaseClock } from './databaseClock.ts';
import { attempt } from './errors.ts';
import { findTrades, insertTrades } from './insertTrades.ts';
import { type ListedTrades, listTrades, type TradePage } from './listTrades.ts';
import { markTradesExecuted } from './markTradesExecuted.ts';
import type { PoolOptions } from './pool.ts';
import { probeDatabase, WriteRefusals } from './probeDatabase.ts';
import { quarantineCallbacks } from './quarantineCallbacks.ts';
import { raiseEpochs } from './raiseEpochs.ts';
import { readAccounts } from './readAccounts.ts';
import { readChanges } from './readChanges.ts';
import { readClock } from './readClock.ts';
import { type DatabaseHealth, readHealth } from './readHealth.ts';
import { readNewRevisions } from './readNewRevisions.ts';
import { readOldestOpenTrades } from './readOldestOpenTrades.ts';
import { readOpenCustomers } from './readOpenCustomers.ts';
import { readSnapshots } from './readSnapshots.ts';
import { readTrades } from './readTrades.ts';
import { readTurns } from './readTurns.ts';
import { settleTrades } from './settleTrades.ts';
import type { Queries } from './statement.ts';
import type { storeVariables } from './variables.ts';

export interface StoreOptions extends PoolOptions, BatchLimits {
  /** Of one customer; by default DEFAULT_MAX_OPEN_TRADES. */
  maxOpenTrades?: number;
  /** Told when the clocks differ; without it they are not compared. */
  log?: Pick<Log, 'warn'>;
}

/**
 * Every statement of a store finds its rows by index, a few in tables of any size. Left to its statistics, the planner reads whole
 * tables while they are small, or were when a statement was prepared, and plans each batch anew.
 *
 * Settings alone do not hold it to that. Where a statement joins its input with a table by the first column of an index, that index can
 * also be read from end to end, in its order, for a merge join or as the outer side of a nested loop: that is the cheapest plan for a table
 * that was analyzed while it was empty, as open_trades is every night, and it stays until somebody analyzes the table again. Seen: 220,000
 * rows for each trade, where one is right. So statements write `o.partition = ANY (ARRAY[s.partition])`, which an index can answer and
 * nothing else can use: no merge, no hash, no order. They sort by their input's column, never by the table's, for the same reason. It costs
 * nothing that could be measured (docs/storage.md); libs/store/test/plans.test.ts looks at each plan.
 *
 * Tried and not taken: LATERAL with OFFSET 0, which no UPDATE or DELETE can have as its target; MERGE, not in WITH before PostgreSQL 17;
 * enable_mergejoin and enable_hashjoin off, which leaves the nested loop with the table outside; statistics that stay as they were set,
 * which vacuum overwrites.
 */
export const BY_INDEX: Settings = {
  enable_seqscan: 'off',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  // What these plans are made of.
  enable_indexscan: 'on',
  enable_indexonlyscan: 'on',
  enable_bitmapscan: 'on',
  enable_nestloop: 'on',
  enable_sort: 'on',
  max_parallel_workers_per_gather: '0',
};

/** A page may have 500 trades: this bounds the answer to one statement. */
const PAGES_IN_A_BATCH = 32;

/** The broker's database, as the flow's ports and a few plain reads. */
export interface Store extends TradeStore, RetriedStore {
  listTrades(page: TradePage): Promise<ListedTrades>;
  readAccount(customerId: string): Promise<Account | null>;
  /** For dashboards and alerts. */
  readHealth(): Promise<DatabaseHealth>;
  /**
   * Whether trades can be written now, in one round trip and without writing; and compares the clocks.
   *
   * @throws StoreUnavailableError with a sentence
   */
  probe(): Promise<void>;
  /** The database's time, milliseconds since 1970, as far as it was measured: by it trades are decided, whatever this machine's clock says. */
  now(): number;
  /** Done by each probe too. @throws StoreUnavailableError */
  measureClock(): Promise<void>;
  /** Runs a leader's statements over nothing, so that none is slow when it first counts. @throws StoreUnavailableError */
  warmUp(): Promise<void>;
  /** @throws Error when the database was created with another number of partitions, or not migrated */
  checkPartitions(partitions: number): Promise<void>;
  /** Which database this is, also after a restore or a failover. @throws StoreUnavailableError */
  readIdentity(): Promise<string>;
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
      lockTimeoutMs: config.LOCK_TIMEOUT_MS,
      maxOpenTrades: config.MAX_OPEN_TRADES,
      maxBatch: config.BATCH_ROWS,
      maxQueue: config.QUEUE_ROWS,
      onConnectionError: (error) => log.warn({ err: error }, 'database connection lost'),
      onWarning: (sentence) => log.warn(sentence),
      log,
    },
    metrics,
  );
  await store.checkPartitions(config.PARTITIONS);
  await store.measureClock();
  return store;
}

/** Batches every hot operation: one statement of a kind is in flight, the next batch fills meanwhile. */
export function createStore(options: StoreOptions, metrics: Metrics): Store {
  const connections = openConnections({ ...options, settings: BY_INDEX });
  const refusals = new WriteRefusals();
  const db: Queries = { query: refusals.watch(connections.reads.query) };
  const writes: Queries = { query: refusals.watch(connections.writes.query) };
  const statements = openStatements(db, { writes, maxOpenTrades: options.maxOpenTrades });
  metrics.gauge('store_connections_overdue', 'Connections whose statement was given up while the server is busy with it', () =>
    connections.overdue(),
  );
  const clock = options.log === undefined ? undefined : new DatabaseClock(options.log, metrics, systemClock);
  const measureClock = async () => clock?.measure(() => attempt(() => readClock(db)));
  const batchers = new Batchers({ maxBatch: options.maxBatch, maxQueue: options.maxQueue }, metrics);
  return {
    ...batchStatements(statements, batchers),
    listTrades: batchers.of('listTrades', (pages: TradePage[]) => attempt(() => listTrades(db, pages)), {
      maxBatch: PAGES_IN_A_BATCH,
      concurrency: 2,
    }),
    findTrade: batchers.of('findTrades', (named: Parameters<RetriedStore['findTrade']>[0][]) =>
      attempt(() => findTrades(db, named)),
    ),
    readAccount: batchers.of('readAccounts', (customerIds: string[]) => attempt(() => readAccounts(db, customerIds)), {
      concurrency: 2,
    }),
    readHealth: () => readHealth(db),
    probe: async () => {
      await probeDatabase(db, refusals);
      await measureClock();
    },
    now: clock?.now ?? systemClock.now,
    measureClock,
    warmUp: async () => {
      const { raiseEpochs: raise, readOpenCustomers: sweep, readOldestOpenTrades: read, markTradesExecuted: mark } = statements;
      await Promise.all([raise([]), sweep([]), read([]), mark([]), statements.settleTrades([])]);
    },
    checkPartitions: async (partitions) => {
      const count = await attempt(() => countPartitions(db));
      if (count === partitions) return;
      const hint = count === 0 ? 'it has no partitions yet: run npm run db:migrate' : `set PARTITIONS=${count}`;
      throw new Error(`PARTITIONS is ${partitions}, but the database was created with ${count}: ${hint}`);
    },
    readIdentity: () => attempt(() => readIdentity(db)),
    close: async () => {
      await batchers.idle();
      await connections.end();
    },
  };
}

export interface StatementsOptions {
  /** For what changes something; by default the same connections. */
  writes?: Queries;
  maxOpenTrades?: number | undefined;
}

/** Each statement is repeated when the server asks for it; its errors are the ports'. */
export function openStatements(db: Queries, { writes = db, maxOpenTrades }: StatementsOptions = {}): Statements {
  return {
    insertTrades: (trades) => attempt(() => insertTrades(writes, trades, maxOpenTrades)),
    readOldestOpenTrades: (customers) => attempt(() => readOldestOpenTrades(db, customers)),
    readOpenCustomers: (asked) => attempt(() => readOpenCustomers(db, asked)),
    readTurns: (trades) => attempt(() => readTurns(db, trades)),
    markTradesExecuted: (marks) => attempt(() => markTradesExecuted(writes, marks)),
    cancelTrades: (asked) => attempt(() => cancelTrades(writes, asked)),
    settleTrades: (reports) => attempt(() => settleTrades(writes, reports)),
    readTrades: (ids) => attempt(() => readTrades(db, ids)),
    raiseEpochs: (takeovers) => attempt(() => raiseEpochs(writes, takeovers)),
    quarantineCallbacks: (callbacks) => attempt(() => quarantineCallbacks(writes, callbacks)),
    readSnapshots: (customers) => attempt(() => readSnapshots(db, customers)),
    readChanges: (since) => attempt(() => readChanges(db, since)),
    readNewRevisions: (known) => attempt(() => readNewRevisions(db, known)),
  };
}

/** 0 also when there are no tables yet: to whoever starts the process it is the same. */
async function countPartitions(db: Queries): Promise<number> {
  const [found] = await db.query<{ name: string | null }>`SELECT to_regclass('partition_leases')::text AS name`;
  if (found?.name == null) return 0;
  const [partitions] = await db.query<{ count: number }>`SELECT count(*)::int AS count FROM partition_leases`;
  return partitions?.count ?? 0;
}

/** @throws Error when the database is not migrated yet */
async function readIdentity(db: Queries): Promise<string> {
  const [row] = await db.query<{ id: string }>`SELECT id FROM database_identity`;
  if (row === undefined) throw new Error('The database has no identity: run npm run db:migrate');
  return row.id;
}
