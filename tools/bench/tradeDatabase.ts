import { randomBytes, randomUUID } from 'node:crypto';
import { openAccounts, openStatements } from '@stockbroker/store';
import type { Statements } from '@stockbroker/store/batching';
import { type Database, openDatabase } from '@stockbroker/store/database';
import { migrate } from '@stockbroker/store/migrate';
import { checkAccounts, checkOpenTrades } from '@stockbroker/store/operate';
import type { Mark } from '@stockbroker/trade-flow';
import { type NewTrade, type OrderReport, parseUsd, partitionOf, type Trade, uuidV7 } from '@stockbroker/trading';

export const PARTITIONS = 100;
const TICKER = 'AAPL';
/** Of each customer: more than anybody can spend or sell in a measurement. */
const CASH = parseUsd('100000000.00');
const SHARES = 1_000_000;
const LIMIT_PRICE = parseUsd('200.00');
const PRICE = parseUsd('190.00');
const ACCOUNTS_AT_ONCE = 5_000;

/** A migrated database with customers, for measuring its statements without a broker. */
export interface TradeDatabase {
  readonly db: Database;
  readonly customers: readonly string[];
  /** Of each partition: all of them are led from here. */
  readonly epochs: readonly bigint[];
  close(): Promise<void>;
}

export async function openTradeDatabase(url: string, customers: number): Promise<TradeDatabase> {
  await migrate(url, PARTITIONS);
  const db = openDatabase({ url, poolSize: 4, statementTimeoutMs: 60_000, onConnectionError: () => {} });
  const ids = Array.from({ length: customers }, () => randomUUID());
  const openings = ids.map((customerId) => ({ customerId, cash: CASH, shares: { [TICKER]: SHARES } }));
  for (let i = 0; i < customers; i += ACCOUNTS_AT_ONCE) await openAccounts(db, openings.slice(i, i + ACCOUNTS_AT_ONCE));
  const epochs = await takePartitions(db);
  // Not the tables that are still empty: as in a new database, nothing is known of them.
  await db.$executeRawUnsafe('VACUUM ANALYZE balances, positions');
  await db.$executeRawUnsafe('CHECKPOINT'); // What the accounts have left to be written is none of the measurement.
  return { db, customers: ids, epochs, close: () => db.$disconnect() };
}

/** Leads all partitions from here on. @returns their epochs */
export async function takePartitions(db: Database): Promise<bigint[]> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, leader: 'bench' }));
  return (await openStatements(db).raiseEpochs(partitions)).map(({ epoch }) => epoch);
}

/** Places these trades, marks them executed and fills them, in one batch. @throws when one of them is not filled */
export async function tradeOnce(statements: Statements, epochs: readonly bigint[], orders: NewTrade[]): Promise<void> {
  const placed = (await statements.insertTrades(orders)).map((result) => {
    if (result.kind !== 'inserted') throw new Error(`a trade was not placed: ${result.kind}`);
    return result.trade;
  });
  for (const result of await statements.markTradesExecuted(placed.map((trade) => markOf(trade, epochs)))) {
    if (result.kind !== 'marked' || result.trade.status !== 'executed') throw new Error(`a trade was not marked: ${result.kind}`);
  }
  const settled = await statements.settleTrades(placed.map(reportOf));
  if (settled.includes(null)) throw new Error('a trade was not settled');
}

/** Buys and sells of one share in turns. */
export function orderOf(customerId: string, turn: number): NewTrade {
  return {
    id: uuidV7(Date.now(), randomBytes(10)), // As the gateway makes them: in the order of time.
    customerId,
    partition: partitionOf(customerId, PARTITIONS),
    clientOrderId: randomUUID(),
    stockTicker: TICKER,
    type: turn % 2 === 0 ? 'buy' : 'sell',
    quantity: 1,
    queueForOpen: false,
  };
}

export function markOf(trade: Trade, epochs: readonly bigint[]): Mark {
  return { trade, epoch: epochs[trade.partition] ?? 0n, decision: { limitPrice: LIMIT_PRICE } };
}

export function reportOf({ id, seq, stockTicker, type, quantity }: Trade): OrderReport {
  const outcome = { kind: 'filled', price: PRICE, executionId: `e-${seq}`, executedAt: new Date() } as const;
  return { tradeId: id, stockTicker, type, quantity, outcome };
}

/** @throws when the books are not exact, or hold another number of filled trades, or any other trade */
export async function proveBooks(db: Database, filled: number): Promise<void> {
  const [found] = await db.$queryRaw<{ filled: bigint; others: bigint }[]>`
    SELECT count(*) FILTER (WHERE status = 'filled') AS filled, count(*) FILTER (WHERE status <> 'filled') AS others FROM trades`;
  if (found?.filled !== BigInt(filled) || found.others !== 0n)
    throw new Error(`${filled} trades were filled, but the database has ${found?.filled}, and ${found?.others} others`);
  for (const pages of [checkAccounts(db, 5_000), checkOpenTrades(db)]) {
    for await (const { findings } of pages) {
      if (findings.length > 0) throw new Error(`the books are wrong: ${JSON.stringify(findings.slice(0, 3))}`);
    }
  }
}
