import type { Trade } from '@stockbroker/trading';
import type { Queries } from './statement.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/** Trades by id, in the order asked for; null for an id that no trade has. */
export async function readTrades(db: Queries, tradeIds: string[]): Promise<(Trade | null)[]> {
  const rows = await db.query<Trade>`/* readTrades */
    SELECT ${TRADE_COLUMNS} FROM trades t WHERE t.id = ANY(${tradeIds}::uuid[])`;
  const byId = new Map(rows.map((row) => [row.id, row]));
  return tradeIds.map((id) => byId.get(id) ?? null);
}
