import { type CustomerState, MAX_CHANGED_REVISIONS, MAX_CHANGED_TRADES } from '@stockbroker/trade-flow';
import type { Trade } from '@stockbroker/trading';
import { JOIN_ACCOUNT, STATE_COLUMNS, type StateRow, toStates } from './customerState.ts';
import type { Queries } from './statement.ts';

/**
 * For each customer the account as it stands, and the trades that have changed since a revision, in the order placed.
 *
 * No index on revisions is needed. A trade that was sent, or was refused in its turn, had no older open trade before it when that happened:
 * where it was final by that revision, all older ones were too. So the trades are read backwards along the index on (customer_id, seq) to the
 * newest such one. Those that end out of turn say nothing of the older ones: a trade that is canceled, or too late for the session
 * while others wait for the open. Where there were too many revisions since such a trade, or since the one asked for, no trades are told:
 * it could be a customer's whole history.
 */
export async function readChanges(
  db: Queries,
  asked: { customerId: string; revision: number }[],
): Promise<(CustomerState | 'too many' | null)[]> {
  const rows = await db.query<StateRow & Trade & { isTooMuch: boolean }>`/* readChanges */
    SELECT ${STATE_COLUMNS}, m.is_too_much OR coalesce(NOT s.ends_older, false) AS "isTooMuch"
    FROM unnest(${asked.map((a) => a.customerId)}::uuid[], ${asked.map((a) => a.revision)}::int[])
      WITH ORDINALITY AS a(customer_id, revision, rank)
    ${JOIN_ACCOUNT}
    CROSS JOIN LATERAL (SELECT b.revision - a.revision > ${MAX_CHANGED_REVISIONS} AS is_too_much) AS m
    LEFT JOIN LATERAL (
      SELECT o.seq, e.ends_older FROM trades o
      CROSS JOIN LATERAL (SELECT o.status IN ('filled', 'rejected') AND coalesce(o.final_revision, 0) <= a.revision
        AND coalesce(o.reject_code NOT IN ('CANCELED', 'MARKET_CLOSED'), true) AS ends_older) AS e
      WHERE o.customer_id = a.customer_id AND NOT m.is_too_much
        AND (e.ends_older OR o.placed_revision <= a.revision - ${MAX_CHANGED_REVISIONS})
      ORDER BY o.seq DESC LIMIT 1
    ) AS s ON true
    LEFT JOIN LATERAL (
      SELECT * FROM trades t
      WHERE t.customer_id = a.customer_id AND NOT m.is_too_much
        AND coalesce(t.final_revision, t.executed_revision, t.placed_revision) > a.revision AND t.seq > coalesce(s.seq, 0)
      ORDER BY t.seq LIMIT ${MAX_CHANGED_TRADES + 1}
    ) AS t ON true
    ORDER BY a.rank, t.seq`;
  const tooMuch = new Set(rows.filter(({ isTooMuch }) => isTooMuch).map(({ rank }) => Number(rank) - 1));
  const states = toStates(
    asked.length,
    rows.map(({ isTooMuch: _, ...row }) => row),
  );
  return states.map((state, i) => {
    if (state === null) return null;
    return tooMuch.has(i) || state.trades.length > MAX_CHANGED_TRADES ? 'too many' : state;
  });
}
