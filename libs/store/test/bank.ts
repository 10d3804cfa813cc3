import { randomBytes, randomUUID } from 'node:crypto';
import { systemRandom } from '@stockbroker/runtime';
import type { Mark } from '@stockbroker/trade-flow';
import { type NewTrade, type OrderReport, parseUsd, partitionOf, type Trade, type UsdE4, uuidV7 } from '@stockbroker/trading';
import pg from 'pg';
import { afterAll } from 'vitest';
import { cloneDatabase } from '../../../test/support/database.ts';
import { type Database, openDatabase } from '../src/database.ts';
import { insertTrades } from '../src/insertTrades.ts';
import { markTradesExecuted } from '../src/markTradesExecuted.ts';
import { openAccounts } from '../src/openAccounts.ts';
import { raiseEpochs } from '../src/raiseEpochs.ts';
import { type Queries, statementsOn } from '../src/statement.ts';

const PARTITIONS = 100;

/** A database of the test file's own, with what its tests do again and again. */
export interface Bank {
  url: string;
  db: Database;
  /** Opens an account as it is told, also with holds that no trade has. */
  account(means?: Partial<AccountMeans>): Promise<string>;
  /** Opens an account as a customer does: with 1,000 dollars and 50 AAPL. */
  opens(): Promise<string>;
  /** Places one trade for each order, in one batch. */
  places(...orders: NewTrade[]): Promise<Trade[]>;
  /** Marks trades executed under a fresh leadership. */
  executes(limitPrice: UsdE4, ...trades: Trade[]): Promise<Trade[]>;
  balance(customerId: string): Promise<{ amount: bigint; held: bigint; buysBlocked: boolean }>;
  shares(customerId: string, stockTicker?: string): Promise<{ quantity: bigint; held: bigint } | null>;
  /** A leadership's epoch of each partition, raised now. */
  leads(...partitions: number[]): Promise<Map<number, bigint>>;
}

interface AccountMeans {
  amount: UsdE4;
  held: UsdE4;
  buysBlocked: boolean;
  /** Of AAPL. */
  shares: bigint;
  sharesHeld: bigint;
}

export async function openBank(): Promise<Bank> {
  const url = await cloneDatabase();
  const db = openDatabase({ url, poolSize: 10, statementTimeoutMs: 30_000, lockTimeoutMs: 30_000, onConnectionError: () => {} });
  afterAll(() => db.$disconnect());
  const bank: Bank = {
    url,
    db,
    account: async ({ amount = 0n, held = 0n, buysBlocked = false, shares = 0n, sharesHeld = 0n } = {}) => {
      const customerId = randomUUID();
      await db.balance.create({ data: { customerId, amount, held, buysBlocked } });
      if (shares > 0n) {
        await db.position.create({ data: { customerId, stockTicker: 'AAPL', quantity: shares, held: sharesHeld } });
      }
      return customerId;
    },
    opens: async () => {
      const customerId = randomUUID();
      await openAccounts(db, [{ customerId, cash: parseUsd('1000.00'), shares: { AAPL: 50 } }]);
      return customerId;
    },
    places: async (...orders) => {
      const results = await insertTrades(db, orders);
      return results.map((result) => {
        if (result.kind !== 'inserted') throw new Error(`not inserted: ${result.kind}`);
        return result.trade;
      });
    },
    executes: async (limitPrice, ...trades) => {
      const epochs = await bank.leads(...trades.map(({ partition }) => partition));
      const results = await markTradesExecuted(
        db,
        trades.map((trade) => ({ trade, epoch: epochs.get(trade.partition) ?? 0n, decision: { limitPrice } })),
      );
      return results.map((result) => {
        if (result.kind !== 'marked') throw new Error(`not marked: ${result.kind}`);
        return result.trade;
      });
    },
    balance: (customerId) =>
      db.balance.findUniqueOrThrow({ where: { customerId }, select: { amount: true, held: true, buysBlocked: true } }),
    shares: (customerId, stockTicker = 'AAPL') =>
      db.position.findUnique({
        where: { customerId_stockTicker: { customerId, stockTicker } },
        select: { quantity: true, held: true },
      }),
    leads: async (...partitions) => {
      const distinct = [...new Set(partitions)];
      const raised = await raiseEpochs(
        db,
        distinct.map((partition) => ({ partition, leader: 'test' })),
      );
      return new Map(distinct.map((partition, i) => [partition, raised[i]?.epoch ?? 0n]));
    },
  };
  return bank;
}

/** A buy of one AAPL, unless told otherwise. */
export function order(customerId: string, change: Partial<NewTrade> = {}): NewTrade {
  return {
    id: uuidV7(Date.now(), randomBytes(10)),
    customerId,
    partition: partitionOf(customerId, PARTITIONS),
    clientOrderId: randomUUID(),
    stockTicker: 'AAPL',
    type: 'buy',
    quantity: 1,
    queueForOpen: false,
    ...change,
  };
}

/** The report of a fill. */
export function fill(trade: Trade, price: UsdE4, change: Partial<OrderReport> = {}): OrderReport {
  const { id: tradeId, stockTicker, type, quantity } = trade;
  const outcome = { kind: 'filled', price, executionId: `fill-${tradeId}`, executedAt: new Date(1_700_000_000_000) } as const;
  return { tradeId, stockTicker, type, quantity, outcome, ...change };
}

/** The report of a rejection. */
export function rejection(trade: Trade, message = 'no reason'): OrderReport {
  const refusal = { code: 'EXCHANGE_REJECTED', message } as const;
  return fill(trade, 1n, { outcome: { kind: 'rejected', refusal, executedAt: new Date(1_700_000_000_000) } });
}

export function mark(trade: Trade, epoch: bigint, decision: Mark['decision'] = { limitPrice: 100_000n }): Mark {
  return { trade, epoch, decision };
}

/** A transaction that stays open until it is told to commit. */
export async function openTransaction<T>(url: string, run: (tx: Queries) => Promise<T>) {
  const client = new pg.Client(url);
  await client.connect();
  await client.query('BEGIN');
  return {
    result: await run({ query: statementsOn(client) }),
    commit: async () => {
      await client.query('COMMIT');
      await client.end();
    },
  };
}

/** How many statements of this database wait for a lock. */
export async function waitingForLocks(db: Database): Promise<number> {
  const rows = await db.$queryRaw<{ count: bigint }[]>`
    SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  return Number(rows[0]?.count);
}

export function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, rank: systemRandom.number() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}
