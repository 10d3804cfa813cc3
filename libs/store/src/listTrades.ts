import type { Trade, TradeStatus } from '@stockbroker/trading';
import type { Queries } from './statement.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/** Which of a customer's trades to list. */
export interface TradePage {
  customerId: string;
  partition: number;
  /** Only trades with a lower seq; null for the newest. */
  before: bigint | null;
  /** Only these; empty for all. */
  statuses: TradeStatus[];
  limit: number;
}

export interface ListedTrades {
  trades: Trade[];
  /** Null: there are no more. Otherwise the seq before which to go on, also when there are fewer trades than asked for, or none. */
  next: bigint | null;
}

const HIGHEST_SEQ = 2n ** 63n - 1n;
const OPEN: readonly TradeStatus[] = ['placed', 'executed'];
/** Trades looked at for one page: a customer may have hundreds of thousands, and none of the statuses asked for. */
const SCANNED_TRADES = 1_000;

/**
 * Pages of customers' trades, each newest first. Clients that wait for their trades ask often: as one statement for many pages
 * this costs a tenth of what a query for each took.
 *
 * No index has the status, which would make its every change dearer. So a page of some statuses comes from so many trades and no more,
 * or from the open ones where it asks for nothing else; and the last one looked at comes with it, to go on from.
 */
export async function listTrades(db: Queries, pages: TradePage[]): Promise<ListedTrades[]> {
  const areOpen = pages.map(({ statuses }) => statuses.length > 0 && statuses.every((status) => OPEN.includes(status)));
  const scans = pages.map(({ statuses, limit }) => (statuses.length === 0 ? limit : SCANNED_TRADES));
  const rows = await db.query<{ rank: bigint; isWanted: boolean; isLast: boolean } & Trade>`/* listTrades */
    SELECT p.rank, t.is_wanted AS "isWanted", t.nth = p.scan AS "isLast", ${TRADE_COLUMNS}
    FROM unnest(${pages.map((p) => p.customerId)}::uuid[], ${pages.map((p) => p.partition)}::smallint[],
        ${pages.map((p) => p.before ?? HIGHEST_SEQ)}::bigint[], ${pages.map((p) => p.statuses.join())}::text[],
        ${pages.map((p) => p.limit)}::int[], ${scans}::int[], ${areOpen}::boolean[])
      WITH ORDINALITY AS p(customer_id, partition, before, statuses, most, scan, are_open, rank)
    CROSS JOIN LATERAL (
      SELECT * FROM (
        SELECT s.*, row_number() OVER (ORDER BY s.seq DESC) AS nth,
          p.statuses = '' OR s.status::text = ANY (string_to_array(p.statuses, ',')) AS is_wanted
        FROM (
          (SELECT * FROM trades WHERE NOT p.are_open AND customer_id = p.customer_id AND seq < p.before ORDER BY seq DESC LIMIT p.scan)
          UNION ALL
          (SELECT t.* FROM (
             SELECT trade_id FROM open_trades
             WHERE p.are_open AND partition = p.partition AND customer_id = p.customer_id AND seq < p.before ORDER BY seq DESC LIMIT p.scan
           ) AS o JOIN trades t ON t.id = ANY (ARRAY[o.trade_id]))
        ) AS s
      ) AS s WHERE s.is_wanted OR s.nth = p.scan
      ORDER BY s.seq DESC LIMIT p.most
    ) AS t
    ORDER BY p.rank, t.seq DESC`;
  const lists = pages.map((): ListedTrades => ({ trades: [], next: null }));
  for (const { rank, isWanted, isLast, ...trade } of rows) {
    const list = lists[Number(rank) - 1];
    if (list === undefined) throw new Error('listTrades: a row of no page');
    if (isWanted) list.trades.push(trade);
    if (isLast || list.trades.length === pages[Number(rank) - 1]?.limit) list.next = trade.seq;
  }
  return lists;
}
