import type { Waiting } from '@stockbroker/trade-flow';
import type { Trade } from '@stockbroker/trading';
import { MOST_OPEN_TRADES } from './openTrades.ts';
import type { Queries } from './statement.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/**
 * For each customer the oldest trade that is placed or executed, or null. Two index probes a customer, and outside the session one step
 * more for each of the customer's trades that wait for the open, of those that may be: see MOST_OPEN_TRADES.
 */
export async function readOldestOpenTrades(
  db: Queries,
  customers: { customerId: string; partition: number; waiting: Waiting }[],
): Promise<(Trade | null)[]> {
  const rows = await db.query<Trade>`/* readOldestOpenTrades */
    SELECT ${TRADE_COLUMNS}
    FROM unnest(${customers.map((c) => c.customerId)}::uuid[], ${customers.map((c) => c.partition)}::smallint[],
        ${customers.map((c) => c.waiting !== 'passed')}::boolean[], ${customers.map((c) => queuedBefore(c.waiting))}::timestamptz[])
      AS c(customer_id, partition, waiting_too, queued_before)
    CROSS JOIN LATERAL (
      SELECT o.trade_id FROM (
        SELECT trade_id, seq, waits_for_open, queued_at FROM open_trades
        WHERE partition = c.partition AND customer_id = c.customer_id ORDER BY seq LIMIT ${MOST_OPEN_TRADES}
      ) AS o WHERE NOT o.waits_for_open OR (c.waiting_too AND coalesce(o.queued_at < c.queued_before, true))
      ORDER BY o.seq LIMIT 1
    ) AS oldest
    JOIN trades t ON t.id = ANY (ARRAY[oldest.trade_id])`;
  const byCustomer = new Map(rows.map((row) => [row.customerId, row]));
  return customers.map(({ customerId }) => byCustomer.get(customerId) ?? null);
}

/** Null: since whenever they wait. */
export function queuedBefore(waiting: Waiting): Date | null {
  return typeof waiting === 'string' ? null : waiting.queuedBefore;
}
