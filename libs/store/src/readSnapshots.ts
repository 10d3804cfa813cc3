import type { CustomerState } from '@stockbroker/trade-flow';
import type { Trade } from '@stockbroker/trading';
import { JOIN_ACCOUNT, STATE_COLUMNS, type StateRow, toStates } from './customerState.ts';
import type { Queries } from './statement.ts';

/** Trades in a snapshot, beside those that are open. */
const NEWEST_TRADES = 50;
/** A customer may have more open trades: of those the newest are in the snapshot. */
const MOST_TRADES = 1_000;

/** For each customer the account and the trades that are open or among the newest, newest first. */
export async function readSnapshots(
  db: Queries,
  asked: { customerId: string; partition: number }[],
): Promise<(CustomerState | null)[]> {
  const rows = await db.query<StateRow & Trade>`/* readSnapshots */
    SELECT ${STATE_COLUMNS}
    FROM unnest(${asked.map((a) => a.customerId)}::uuid[], ${asked.map((a) => a.partition)}::smallint[])
      WITH ORDINALITY AS a(customer_id, partition, rank)
    ${JOIN_ACCOUNT}
    LEFT JOIN LATERAL (
      SELECT * FROM trades t
      WHERE t.customer_id = a.customer_id AND t.seq >= least(
        (SELECT min(n.seq) FROM (
          SELECT seq FROM trades WHERE customer_id = a.customer_id ORDER BY seq DESC LIMIT ${NEWEST_TRADES}) AS n),
        (SELECT o.seq FROM open_trades o WHERE o.partition = a.partition AND o.customer_id = a.customer_id ORDER BY o.seq LIMIT 1))
      ORDER BY t.seq DESC LIMIT ${MOST_TRADES}
    ) AS t ON true
    ORDER BY a.rank, t.seq DESC`;
  return toStates(asked.length, rows);
}
