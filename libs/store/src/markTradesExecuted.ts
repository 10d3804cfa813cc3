import type { Decision, Mark, MarkResult } from '@stockbroker/trade-flow';
import { describeRefusal, type Trade } from '@stockbroker/trading';
import { MOST_OPEN_TRADES } from './openTrades.ts';
import type { Queries } from './statement.ts';
import { TIMELINE } from './timeline.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

type Row = { askedId: string; led: boolean; fenced: boolean } & Trade;

/**
 * Marks placed trades executed: checks the customers' means by the rules of the domain's checkMeans, takes the holds and changes
 * the status, or rejects, all in one statement. The order may be sent once this has committed, and not before.
 *
 * - The fence: the partition's epoch is read under a share lock held to the end, so a leadership that has been taken over cannot
 *   mark anything, and a takeover waits for the marks in flight. Nobody waits for a fence that is locked, by a takeover or by an
 *   operator: its partition's trades are stale, to be looked at again, and the other partitions' are marked.
 * - Lock order, in every statement that changes trades: partition_leases by partition, then balances by customer_id. The balance
 *   is its customer's lock: whoever holds it may touch the customer's trades and positions in any order.
 * - The timeline: after a standby has taken over, every leadership is fenced, because the last commits may be lost, and what was sent
 *   under them with them. Each is begun anew, and asks the exchange first. The server is only asked where it could tell at the takeover.
 * - What the exchange has already is adopted without a check of the means: its hold is what there is of it. When it was marked is lost; it
 *   was sent at some time since it was placed.
 * - A refusal MARKET_CLOSED may pass by older trades that wait for the open; nothing else passes by an older open trade.
 * - Tables are joined by `= ANY (ARRAY[...])` (createStore's BY_INDEX says why).
 * - A row that waited for a lock is read again as it is then; the guards on status are checked on that version.
 * - No CTE is joined with another by customer: the planner knows nothing of their sizes, takes a nested loop, and a batch of 256
 *   would compare 65,536 pairs. Therefore the locked balances and positions carry the columns that follow, and UNION ALL stands
 *   where a LEFT JOIN would be shorter. For the same reason the older open trade is a value, not NOT EXISTS: that is planned as a join,
 *   and one planned while open_trades is empty reads all of it for each trade.
 */
export async function markTradesExecuted(db: Queries, marks: Mark[]): Promise<MarkResult[]> {
  const refusals = marks.map(({ decision }) => ('refusal' in decision ? decision.refusal : null));
  const rows = await db.query<Row>`/* markTradesExecuted */
    WITH input AS MATERIALIZED (
      SELECT * FROM unnest(
          ${marks.map((m) => m.trade.id)}::uuid[], ${marks.map((m) => m.trade.customerId)}::uuid[],
          ${marks.map((m) => m.trade.partition)}::smallint[], ${marks.map((m) => m.epoch)}::bigint[],
          ${marks.map(({ decision }) => limitOf(decision))}::bigint[],
          ${marks.map(({ decision }) => ('adopt' in decision ? decision.adopt.attempt : null))}::int[],
          ${refusals.map((refusal) => refusal?.code ?? null)}::reject_code[],
          ${refusals.map((refusal) => (refusal === null ? null : describeRefusal(refusal)))}::text[])
        AS i(trade_id, customer_id, partition, epoch, limit_price, adopted_attempt, reject_code, reason)
    ), fence AS MATERIALIZED (
      SELECT l.partition, l.epoch, l.timeline FROM partition_leases l
      WHERE l.partition = ANY (ARRAY(SELECT partition FROM input))
      ORDER BY l.partition FOR SHARE SKIP LOCKED
    ), led AS MATERIALIZED (
      SELECT i.* FROM input i JOIN fence f ON f.partition = i.partition AND f.epoch = i.epoch
      WHERE CASE WHEN f.timeline IS NULL THEN true ELSE f.timeline = (SELECT ${TIMELINE}) END
    ), account AS MATERIALIZED (
      SELECT l.*, b.amount - b.held AS spendable, b.buys_blocked, b.revision + 1 AS revision FROM led l JOIN balances b ON b.customer_id = ANY (ARRAY[l.customer_id])
      ORDER BY l.customer_id FOR NO KEY UPDATE OF b
    ), candidate AS MATERIALIZED (
      SELECT t.id, t.customer_id, t.stock_ticker, t.type, t.quantity, a.limit_price, a.adopted_attempt, a.reject_code, a.reason, a.spendable,
        a.buys_blocked, a.revision, CASE WHEN t.type = 'sell' THEN 0
          WHEN a.adopted_attempt IS NOT NULL THEN least(t.quantity * a.limit_price, greatest(a.spendable, 0))
          ELSE t.quantity * a.limit_price END AS hold
      FROM account a JOIN trades t ON t.id = ANY (ARRAY[a.trade_id])
      WHERE t.status = 'placed' AND (
        SELECT older.seq FROM (
          SELECT o.seq, o.waits_for_open FROM open_trades o
          WHERE o.partition = t.partition AND o.customer_id = t.customer_id AND o.seq < t.seq ORDER BY o.seq LIMIT ${MOST_OPEN_TRADES}
        ) AS older WHERE NOT (older.waits_for_open AND a.reject_code IS NOT DISTINCT FROM 'MARKET_CLOSED') LIMIT 1) IS NULL
    ), holding AS MATERIALIZED (
      SELECT c.*, p.quantity - p.held AS shares FROM candidate c
      JOIN positions p ON p.customer_id = ANY (ARRAY[c.customer_id]) AND p.stock_ticker = c.stock_ticker
      WHERE c.type = 'sell' ORDER BY c.customer_id FOR NO KEY UPDATE OF p
    ), with_means AS (
      SELECT *, 0 AS shares FROM candidate WHERE type = 'buy'
      UNION ALL SELECT * FROM holding
      UNION ALL SELECT *, 0 FROM candidate WHERE type = 'sell' AND id NOT IN (SELECT id FROM holding)
    ), checked AS MATERIALIZED (
      SELECT m.*, CASE
          WHEN m.reject_code IS NOT NULL THEN m.reject_code
          WHEN m.type = 'buy' AND m.adopted_attempt IS NOT NULL THEN NULL
          WHEN m.type = 'buy' AND m.buys_blocked THEN 'ACCOUNT_BLOCKED'
          WHEN m.type = 'buy' AND m.hold > m.spendable THEN 'INSUFFICIENT_FUNDS'
          WHEN m.type = 'sell' AND m.quantity > m.shares THEN 'INSUFFICIENT_SHARES'
        END AS code
      FROM with_means m
    ), marked AS (
      UPDATE trades t SET
        status = CASE WHEN c.code IS NULL THEN 'executed'::trade_status ELSE 'rejected' END,
        limit_price = CASE WHEN c.code IS NULL THEN c.limit_price ELSE t.limit_price END,
        hold = CASE WHEN c.code IS NULL THEN c.hold ELSE t.hold END,
        attempt = coalesce(c.adopted_attempt, t.attempt),
        submitted_at = CASE WHEN c.code IS NOT NULL THEN t.submitted_at WHEN c.adopted_attempt IS NULL THEN now() ELSE t.created_at END,
        executed_revision = CASE WHEN c.code IS NULL THEN c.revision ELSE t.executed_revision END,
        ended_at = CASE WHEN c.code IS NOT NULL THEN now() END,
        final_revision = CASE WHEN c.code IS NOT NULL THEN c.revision END,
        reject_code = c.code,
        reject_needed = CASE c.code WHEN 'INSUFFICIENT_FUNDS' THEN c.hold WHEN 'INSUFFICIENT_SHARES' THEN c.quantity END,
        reject_available = CASE c.code WHEN 'INSUFFICIENT_FUNDS' THEN c.spendable WHEN 'INSUFFICIENT_SHARES' THEN c.shares END,
        reason = CASE c.code
          WHEN 'INSUFFICIENT_FUNDS' THEN format('The buy needs $%s, but $%s is available',
            (c.hold::numeric / 10000)::numeric(24, 4), (c.spendable::numeric / 10000)::numeric(24, 4))
          WHEN 'INSUFFICIENT_SHARES' THEN format('The sell needs %s shares of %s, but %s are available', c.quantity, c.stock_ticker, c.shares)
          WHEN 'ACCOUNT_BLOCKED' THEN ${describeRefusal({ code: 'ACCOUNT_BLOCKED' })}
          ELSE c.reason
        END
      FROM checked c WHERE t.id = ANY (ARRAY[c.id]) AND t.status = 'placed' AND (c.code IS NULL OR c.adopted_attempt IS NULL)
      RETURNING t.*
    ), cash_held AS (
      UPDATE balances b SET revision = greatest(m.executed_revision, m.final_revision),
        held = b.held + CASE m.status WHEN 'executed' THEN m.hold ELSE 0 END,
        last_modified = CASE WHEN m.status = 'executed' AND m.hold > 0 THEN now() ELSE b.last_modified END
      FROM marked m WHERE b.customer_id = ANY (ARRAY[m.customer_id])
    ), shares_held AS (
      UPDATE positions p SET held = p.held + m.quantity
      FROM marked m
      WHERE m.status = 'executed' AND m.type = 'sell' AND p.customer_id = ANY (ARRAY[m.customer_id]) AND p.stock_ticker = m.stock_ticker
    ), waits_no_more AS (
      UPDATE open_trades o SET waits_for_open = false, queued_at = NULL FROM marked m
      WHERE m.status = 'executed' AND m.queue_for_open AND o.partition = ANY (ARRAY[m.partition]) AND o.customer_id = m.customer_id AND o.seq = m.seq
    ), closed AS (
      DELETE FROM open_trades o USING marked m
      WHERE m.status = 'rejected' AND o.partition = ANY (ARRAY[m.partition]) AND o.customer_id = m.customer_id AND o.seq = m.seq
    )
    SELECT i.trade_id AS "askedId", l.trade_id IS NOT NULL AS led,
      l.trade_id IS NULL AND i.partition IN (SELECT partition FROM fence) AS fenced, ${TRADE_COLUMNS}
    FROM input i LEFT JOIN led l ON l.trade_id = i.trade_id LEFT JOIN marked t ON t.id = i.trade_id`;
  const byId = new Map(rows.map((row) => [row.askedId, row]));
  return marks.map((mark) => toResult(byId.get(mark.trade.id)));
}

function limitOf(decision: Decision): bigint | null {
  if ('adopt' in decision) return decision.adopt.limitPrice;
  return 'limitPrice' in decision ? decision.limitPrice : null;
}

function toResult(row: Row | undefined): MarkResult {
  if (row === undefined) throw new Error('markTradesExecuted: a trade has no row in the answer');
  const { askedId: _, led, fenced, ...trade } = row;
  if (fenced) return { kind: 'fenced' };
  return !led || trade.id === null ? { kind: 'stale' } : { kind: 'marked', trade };
}
