import type { Queries } from './statement.ts';

/**
 * Of trades that are their customers' oldest open ones: since when they are; null for a customer's first.
 *
 * That is when the last of the customer's earlier trades ended. Those end in the order placed, but for the ones that are canceled or too
 * late for the session; so the index on (customer_id, seq) is read backwards to the newest of the others. Only asked for a trade that
 * looks as if it had waited for too long.
 */
export async function readTurns(db: Queries, trades: { customerId: string; seq: bigint }[]): Promise<(Date | null)[]> {
  const rows = await db.query<{ since: Date | null }>`/* readTurns */
    SELECT (
      SELECT max(coalesce(e.ended_at, e.executed_at, e.submitted_at, e.created_at)) FROM trades e
      WHERE e.customer_id = a.customer_id AND e.seq < a.seq AND e.seq >= coalesce((
        SELECT o.seq FROM trades o
        WHERE o.customer_id = a.customer_id AND o.seq < a.seq
          AND coalesce(o.reject_code NOT IN ('CANCELED', 'MARKET_CLOSED'), true)
        ORDER BY o.seq DESC LIMIT 1), 0)
    ) AS since
    FROM unnest(${trades.map((t) => t.customerId)}::uuid[], ${trades.map((t) => t.seq)}::bigint[])
      WITH ORDINALITY AS a(customer_id, seq, rank)
    ORDER BY a.rank`;
  return rows.map(({ since }) => since);
}
