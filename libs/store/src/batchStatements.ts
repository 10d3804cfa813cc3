import { Batcher, type BatcherOptions, type Metrics, SIZE_BUCKETS } from '@stockbroker/runtime';
import {
  type CancelingStore,
  type CustomerState,
  type ExecutingStore,
  type InsertResult,
  type KnownRevision,
  type Mark,
  type MarkResult,
  type PlacingStore,
  type QuarantinedCallback,
  type Raised,
  type Settled,
  type SettlingStore,
  StoreLockedError,
  StoreRefusedError,
  type Waiting,
  type WatchingStore,
} from '@stockbroker/trade-flow';
import type { NewTrade, OrderReport, Trade } from '@stockbroker/trading';

/** What the flow asks of a database: each does all of it or nothing, and answers one result for each item, in order. */
export interface Statements {
  insertTrades(trades: NewTrade[]): Promise<InsertResult[]>;
  readOldestOpenTrades(customers: { customerId: string; partition: number; waiting: Waiting }[]): Promise<(Trade | null)[]>;
  readOpenCustomers(asked: { partition: number; limit: number; waiting: Waiting }[]): Promise<string[][]>;
  readTurns(trades: { customerId: string; seq: bigint }[]): Promise<(Date | null)[]>;
  markTradesExecuted(marks: Mark[]): Promise<MarkResult[]>;
  cancelTrades(asked: { customerId: string; tradeId: string }[]): Promise<(Trade | null)[]>;
  settleTrades(reports: OrderReport[]): Promise<(Settled | null)[]>;
  readTrades(ids: string[]): Promise<(Trade | null)[]>;
  raiseEpochs(takeovers: { partition: number; leader: string }[]): Promise<Raised[]>;
  quarantineCallbacks(callbacks: QuarantinedCallback[]): Promise<void>;
  readSnapshots(customers: { customerId: string; partition: number }[]): Promise<(CustomerState | null)[]>;
  readChanges(since: KnownRevision[]): Promise<(CustomerState | 'too many' | null)[]>;
  readNewRevisions(known: KnownRevision[]): Promise<KnownRevision[]>;
}

/** The flow's ports, and the fence. */
export interface TradeStore extends PlacingStore, CancelingStore, ExecutingStore, SettlingStore, WatchingStore {
  raiseEpoch(partition: number, leader: string): Promise<Raised>;
}

export interface BatchLimits {
  /** Rows in one statement. */
  maxBatch: number;
  /** Operations waiting of each kind, before one more is refused with OverloadedError. */
  maxQueue: number;
}

type Start = Pick<BatcherOptions<unknown, unknown>, 'soon' | 'now'>;

interface BatchOptions<Item, Result> extends Partial<Pick<BatcherOptions<Item, Result>, 'key' | 'concurrency' | 'maxBatch'>> {
  /** Whose rows an item needs: it may be locked by somebody else, and then nobody else waits with it. */
  lockedBy?: (item: Item) => string;
}

/** After this long an operation whose row is locked by somebody else is given back: callers have their own patience. */
const LOCKED_PATIENCE_MS = 1_000;

const isHeldUp = (error: unknown) => error instanceof StoreLockedError;

/** The statements that take batches. */
const BATCHED = [
  'insertTrades',
  'readOldestOpenTrades',
  'readOpenCustomers',
  'markTradesExecuted',
  'cancelTrades',
  'settleTrades',
  'quarantineCallbacks',
  'readTrades',
  'readTurns',
  'raiseEpochs',
  'readSnapshots',
  'readChanges',
  'listTrades',
  'readAccounts',
  'findTrades',
] as const;
type Batched = (typeof BATCHED)[number];

/** Makes batchers that all have the same limits, and that can be waited for. */
export class Batchers {
  readonly #limits: BatchLimits & Start;
  readonly #metrics: Metrics;
  readonly #sizes;
  readonly #seconds;
  readonly #locked;
  readonly #all: { idle(): Promise<void> }[] = [];

  constructor(limits: BatchLimits & Start, metrics: Metrics) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#sizes = metrics.histogram('store_batch_rows', 'Rows in one statement', {
      labels: ['statement'],
      buckets: SIZE_BUCKETS,
    });
    this.#seconds = metrics.histogram('store_statement_seconds', 'Duration of one statement', { labels: ['statement'] });
    this.#locked = metrics.counter('store_locked_total', 'Statements that waited too long for another transaction’s lock', {
      statement: BATCHED,
    });
  }

  /** One statement of a kind is in flight, the next batch fills meanwhile. @returns the operation on one item */
  of<Item, Result>(
    name: Batched,
    run: (items: Item[]) => Promise<Result[]>,
    { lockedBy, ...more }: BatchOptions<Item, Result> = {},
  ): Batcher<Item, Result>['submit'] {
    const batcher = new Batcher<Item, Result>({
      name,
      concurrency: 1,
      ...this.#limits,
      isItemError: (error) => error instanceof StoreRefusedError,
      onBatch: (size) => this.#sizes.observe({ statement: name }, size),
      ...more,
      ...(lockedBy === undefined ? {} : { aside: { isHeldUp, of: lockedBy, patienceMs: LOCKED_PATIENCE_MS } }),
      run: async (items) => {
        const end = this.#seconds.startTimer({ statement: name });
        try {
          return await run(items);
        } catch (error) {
          if (isHeldUp(error)) this.#locked.inc({ statement: name });
          throw error;
        } finally {
          end();
        }
      },
    });
    this.#sizes.zero({ statement: name });
    this.#seconds.zero({ statement: name });
    this.#all.push(batcher);
    this.#metrics.gauge(`store_${name}_queued`, 'Operations waiting for their batch', () => batcher.queued);
    return batcher.submit;
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    await Promise.all(this.#all.map((batcher) => batcher.idle()));
  }
}

/** One may have a thousand trades: this bounds the answer to one statement. */
const SNAPSHOTS_IN_A_BATCH = 16;

/** One may have megabytes. */
const CALLBACKS_IN_A_BATCH = 16;

/** One statement at a time: however many an exchange sends that cannot be applied, connections are left to those that can. */
function keepAll({ quarantineCallbacks }: Statements): (callbacks: QuarantinedCallback[]) => Promise<undefined[]> {
  return async (callbacks) => {
    await quarantineCallbacks(callbacks);
    return callbacks.map(() => undefined);
  };
}

/** Items with one key neither run at the same time nor make others wait for what they wait for. */
function of<Item>(key: (item: Item) => string) {
  return { key, lockedBy: key };
}

/** One operation at a time for the flow, batches for the database. */
export function batchStatements(statements: Statements, batchers: Batchers): TradeStore {
  const raise = batchers.of(
    'raiseEpochs',
    statements.raiseEpochs,
    of<{ partition: number }>(({ partition }) => String(partition)),
  );
  return {
    insertTrade: batchers.of('insertTrades', statements.insertTrades, {
      concurrency: 2,
      lockedBy: ({ customerId }) => customerId,
    }),
    readOldestOpenTrade: batchers.of('readOldestOpenTrades', statements.readOldestOpenTrades),
    markExecuted: batchers.of(
      'markTradesExecuted',
      statements.markTradesExecuted,
      of<Mark>(({ trade }) => trade.customerId),
    ),
    cancelTrade: batchers.of(
      'cancelTrades',
      statements.cancelTrades,
      of<{ customerId: string }>(({ customerId }) => customerId),
    ),
    settleTrade: batchers.of(
      'settleTrades',
      statements.settleTrades,
      of<OrderReport>(({ tradeId }) => tradeId),
    ),
    readTrade: batchers.of('readTrades', statements.readTrades),
    readOpenCustomers: batchers.of('readOpenCustomers', statements.readOpenCustomers),
    readTurn: batchers.of('readTurns', statements.readTurns),
    raiseEpoch: (partition, leader) => raise({ partition, leader }),
    quarantineCallback: batchers.of('quarantineCallbacks', keepAll(statements), { maxBatch: CALLBACKS_IN_A_BATCH }),
    readSnapshot: batchers.of('readSnapshots', statements.readSnapshots, { maxBatch: SNAPSHOTS_IN_A_BATCH, concurrency: 2 }),
    readChanges: batchers.of('readChanges', statements.readChanges, { concurrency: 2 }),
    readNewRevisions: statements.readNewRevisions,
  };
}
