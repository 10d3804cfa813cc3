import { describeRefusal, type Trade } from '@stockbroker/trading';
import type { Queries } from './statement.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/**
 * Ends placed trades because their customers want it, all in one statement. Null for one that is not this customer's, or not placed any
 * more: nothing changed.
 *
 * Exactly one of this and markTradesExecuted ends or sends a trade: both take the lock of the customer's balance first, and both check
 * the status on the version of the row that is there then. No fence: whoever leads the partition, nothing was sent yet. A customer
 * comes once at most, so the next revision is that trade's.
 */
export async function cancelTrades(db: Queries, asked: { customerId: string; tradeId: string }[]): Promise<(Trade | null)[]> {
  const rows = await db.query<Trade>`/* cancelTrades */
    WITH asked AS MATERIALIZED (
      SELECT * FROM unnest(${asked.map((a) => a.tradeId)}::uuid[], ${asked.map((a) => a.customerId)}::uuid[]) AS a(trade_id, customer_id)
    ), account AS MATERIALIZED (
      SELECT a.*, b.revision + 1 AS revision FROM asked a JOIN balances b ON b.customer_id = ANY (ARRAY[a.customer_id])
      ORDER BY a.customer_id FOR NO KEY UPDATE OF b
    ), canceled AS (
      UPDATE trades t SET status = 'rejected', reject_code = 'CANCELED', reason = ${describeRefusal({ code: 'CANCELED' })},
        final_revision = a.revision, ended_at = now()
      FROM account a WHERE t.id = ANY (ARRAY[a.trade_id]) AND t.customer_id IS NOT DISTINCT FROM a.customer_id AND t.status = 'placed'
      RETURNING t.*
    ), counted AS (
      UPDATE balances b SET revision = c.final_revision FROM canceled c WHERE b.customer_id = ANY (ARRAY[c.customer_id])
    ), closed AS (
      DELETE FROM open_trades o USING canceled c
      WHERE o.partition = ANY (ARRAY[c.partition]) AND o.customer_id = c.customer_id AND o.seq = c.seq
    )
    SELECT ${TRADE_COLUMNS} FROM canceled t`;
  const byId = new Map(rows.map((row) => [row.id, row]));
  return asked.map(({ tradeId, customerId }) => {
    // Somebody else may have asked for the same trade in the same statement.
    const row = byId.get(tradeId);
    return row?.customerId === customerId ? row : null;
  });
}
