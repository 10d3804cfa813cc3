import { type CustomerState, MAX_CHANGED_REVISIONS, MAX_CHANGED_TRADES } from '@stockbroker/trade-flow';
import type { Trade } from '@stockbroker/trading';
import { JOIN_ACCOUNT, STATE_COLUMNS, type StateRow, toStates } from './customerState.ts';
import type { Database } from './database.ts';

/**
 * For each customer the account as it stands, and the trades that have changed since a revision, in the order placed.
 *
 * A customer's trades become final in the order placed, one after the other: whatever has changed since a revision was placed after
 * the newest trade that was final by then. So no index on revisions is needed: the trades are read backwards to that one, along the
 * index on (customer_id, seq). For a revision that is too old none are read: it would be a customer's whole history.
 */
export async function readChanges(
  db: Database,
  asked: { customerId: string; revision: number }[],
): Promise<(CustomerState | 'too many' | null)[]> {
  const rows = await db.$queryRaw<(StateRow & Trade)[]>`/* readChanges */
    SELECT ${STATE_COLUMNS}
    FROM unnest(${asked.map((a) => a.customerId)}::uuid[], ${asked.map((a) => a.revision)}::int[])
      WITH ORDINALITY AS a(customer_id, revision, rank)
    ${JOIN_ACCOUNT}
    LEFT JOIN LATERAL (
      SELECT * FROM trades t
      WHERE t.customer_id = a.customer_id AND b.revision - a.revision <= ${MAX_CHANGED_REVISIONS} AND coalesce(t.final_revision, t.executed_revision, t.placed_revision) > a.revision
        AND t.seq > coalesce((
          SELECT o.seq FROM trades o
          WHERE o.customer_id = a.customer_id AND o.status IN ('filled', 'rejected') AND coalesce(o.final_revision, 0) <= a.revision
          ORDER BY o.seq DESC LIMIT 1), 0)
      ORDER BY t.seq LIMIT ${MAX_CHANGED_TRADES + 1}
    ) AS t ON true
    ORDER BY a.rank, t.seq`;
  return toStates(asked.length, rows).map((state, i) => {
    if (state === null) return null;
    const revisions = state.revision - (asked[i]?.revision ?? 0);
    return revisions > MAX_CHANGED_REVISIONS || state.trades.length > MAX_CHANGED_TRADES ? 'too many' : state;
  });
}
