import type { Trade, TradeStatus } from '@stockbroker/trading';
import type { Database } from './database.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/** Trades by id, in the order asked for; null for an id that no trade has. */
export async function readTrades(db: Database, tradeIds: string[]): Promise<(Trade | null)[]> {
  const rows = await db.$queryRaw<Trade[]>`/* readTrades */
    SELECT ${TRADE_COLUMNS} FROM trades t WHERE t.id = ANY(${tradeIds}::uuid[])`;
  const byId = new Map(rows.map((row) => [row.id, row]));
  return tradeIds.map((id) => byId.get(id) ?? null);
}

/**
 * A customer's trades, newest first.
 *
 * @param before only trades with a lower seq; null for the newest
 * @param statuses only these; empty for all
 */
export async function listTrades(
  db: Database,
  { customerId, before, statuses, limit }: { customerId: string; before: bigint | null; statuses: TradeStatus[]; limit: number },
): Promise<Trade[]> {
  return db.trade.findMany({
    where: {
      customerId,
      ...(before === null ? {} : { seq: { lt: before } }),
      ...(statuses.length === 0 ? {} : { status: { in: statuses } }),
    },
    orderBy: { seq: 'desc' },
    take: limit,
  });
}
