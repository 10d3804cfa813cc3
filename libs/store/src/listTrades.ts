import type { Trade, TradeStatus } from '@stockbroker/trading';
import type { Queries } from './statement.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/** Which of a customer's trades to list. */
export interface TradePage {
  customerId: string;
  /** Only trades with a lower seq; null for the newest. */
  before: bigint | null;
  /** Only these; empty for all. */
  statuses: TradeStatus[];
  limit: number;
}

const HIGHEST_SEQ = 2n ** 63n - 1n;

/**
 * Pages of customers' trades, each newest first. Clients that wait for their trades ask often: as one statement for many pages
 * this costs a tenth of what a query for each took.
 */
export async function listTrades(db: Queries, pages: TradePage[]): Promise<Trade[][]> {
  const rows = await db.query<{ rank: bigint } & Trade>`/* listTrades */
    SELECT p.rank, ${TRADE_COLUMNS}
    FROM unnest(${pages.map((p) => p.customerId)}::uuid[], ${pages.map((p) => p.before ?? HIGHEST_SEQ)}::bigint[],
        ${pages.map((p) => p.statuses.join())}::text[], ${pages.map((p) => p.limit)}::int[])
      WITH ORDINALITY AS p(customer_id, before, statuses, most, rank)
    CROSS JOIN LATERAL (
      SELECT * FROM trades t
      WHERE t.customer_id = p.customer_id AND t.seq < p.before
        AND (p.statuses = '' OR t.status::text = ANY (string_to_array(p.statuses, ',')))
      ORDER BY t.seq DESC LIMIT p.most
    ) AS t
    ORDER BY p.rank, t.seq DESC`;
  const lists = pages.map((): Trade[] => []);
  for (const { rank, ...trade } of rows) lists[Number(rank) - 1]?.push(trade);
  return lists;
}
