import type { Settled } from '@stockbroker/trade-flow';
import { describeRefusal, type OrderReport, type Trade } from '@stockbroker/trading';
import { NEW_EXECUTION, NEW_POSITION } from './insertedColumns.ts';
import type { Queries } from './statement.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/**
 * Statements for one batch. Whoever repeats an id more often, in reports that fit no trade of ours, must not hold up the next batch: what
 * is left then is set aside, and a true fill among it is found by asking.
 */
const MAX_ROUNDS = 3;

/**
 * Ends executed trades as reported and moves money, shares and holds, exactly once, all in one statement. A report of a trade
 * that is not executed, or not about the order that was placed, or of an execution that was booked for another trade, changes nothing
 * and has null in the answer.
 *
 * A buy's hold is released and its actual cost taken, also when that is more than the hold or than the balance: the shares were
 * bought. Such an account's buys are blocked. Of a customer's trades one at most is executed, so the next revision is that one's.
 * A trade that waits for the open is sent back by an exchange that is closed: its hold is released, it is placed again as the next
 * attempt, and waits, with the customer's others that do, for a later session. A report of another attempt than the trade's changes nothing.
 * Locks as in markTradesExecuted: the balances first, by customer_id; then the executions, by their ids.
 *
 * `booked_for` is as of the statement's beginning. An execution that is booked for another trade meanwhile breaks the key of
 * `executions`: the server undoes all of it, and `attempt` repeats it. ON CONFLICT DO NOTHING instead would have to enter before it
 * fills, for trades that it must lock for that: another 50 bytes of log and 5 % of the statement's time (docs/storage.md).
 */
export async function settleTrades(db: Queries, reports: OrderReport[]): Promise<(Settled | null)[]> {
  const results = new Map<OrderReport, Settled>();
  let waiting = reports;
  for (let round = 0; round < MAX_ROUNDS && (round === 0 || waiting.length > 0); round += 1) {
    // Nearly always all: a statement cannot see what it enters itself, so an execution that is repeated within the batch waits.
    const [together, repeated] = firstOfEachExecution(waiting);
    const settled = await settleTogether(db, together);
    const booked = new Set<string | null>();
    for (const [i, report] of together.entries()) {
      const result = settled[i] ?? null;
      if (result === null) continue;
      results.set(report, result);
      booked.add(result.trade.executionId);
    }
    waiting = repeated.filter((report) => !booked.has(executionIdOf(report)));
  }
  return reports.map((report) => results.get(report) ?? null);
}

function firstOfEachExecution(reports: OrderReport[]): [first: OrderReport[], repeated: OrderReport[]] {
  const [seen, first, repeated] = [new Set<string>(), [] as OrderReport[], [] as OrderReport[]];
  for (const report of reports) {
    const executionId = executionIdOf(report);
    (executionId !== null && seen.has(executionId) ? repeated : first).push(report);
    if (executionId !== null) seen.add(executionId);
  }
  return [first, repeated];
}

function executionIdOf({ outcome }: OrderReport): string | null {
  return outcome.kind === 'filled' ? outcome.executionId : null;
}

async function settleTogether(db: Queries, reports: OrderReport[]): Promise<(Settled | null)[]> {
  const filled = reports.map(({ outcome }) => (outcome.kind === 'filled' ? outcome : null));
  const rejected = reports.map(({ outcome }) => (outcome.kind === 'rejected' ? outcome : null));
  const rows = await db.query<Trade & { overdrawn: boolean }>`/* settleTrades */
    WITH report AS MATERIALIZED (
      SELECT * FROM unnest(
          ${reports.map((r) => r.tradeId)}::uuid[], ${reports.map((r) => r.stockTicker)}::text[],
          ${reports.map((r) => r.type)}::trade_type[], ${reports.map((r) => r.quantity)}::int[],
          ${reports.map((r) => r.attempt ?? 0)}::int[],
          ${reports.map((r) => r.outcome.kind)}::trade_status[], ${reports.map((r) => r.outcome.executedAt)}::timestamptz[],
          ${filled.map((f) => f?.price ?? null)}::bigint[], ${filled.map((f) => f?.executionId ?? null)}::text[],
          ${rejected.map((r) => r?.refusal.code ?? null)}::reject_code[],
          ${rejected.map((r) => (r === null ? null : describeRefusal(r.refusal)))}::text[])
        AS r(trade_id, stock_ticker, type, quantity, attempt, status, executed_at, price, execution_id, reject_code, reason)
    ), account AS MATERIALIZED (
      SELECT r.*, b.amount, b.revision, (SELECT e.trade_id FROM executions e WHERE e.execution_id = r.execution_id) AS booked_for,
        t.queue_for_open AND r.reject_code IS NOT DISTINCT FROM 'MARKET_CLOSED' AS sent_back
      FROM report r CROSS JOIN LATERAL (SELECT customer_id, queue_for_open FROM trades WHERE id = r.trade_id OFFSET 0) AS t
      JOIN balances b ON b.customer_id = ANY (ARRAY[t.customer_id])
      ORDER BY t.customer_id FOR NO KEY UPDATE OF b
    ), settled AS (
      UPDATE trades t SET status = CASE WHEN a.sent_back THEN 'placed' ELSE a.status END, attempt = t.attempt + a.sent_back::int,
        price = a.price, execution_id = a.execution_id,
        executed_at = CASE WHEN NOT a.sent_back THEN a.executed_at END, ended_at = CASE WHEN NOT a.sent_back THEN now() END,
        reject_code = CASE WHEN NOT a.sent_back THEN a.reject_code END, reason = CASE WHEN NOT a.sent_back THEN a.reason END,
        executed_revision = CASE WHEN a.sent_back THEN a.revision + 1 ELSE t.executed_revision END,
        final_revision = CASE WHEN NOT a.sent_back THEN a.revision + 1 END
      FROM account a
      WHERE t.id = ANY (ARRAY[a.trade_id]) AND t.status = 'executed' AND t.attempt = a.attempt AND a.booked_for IS NULL
        AND t.stock_ticker = a.stock_ticker AND t.type = a.type AND t.quantity = a.quantity
      RETURNING t.*, t.status = 'filled' AND t.type = 'buy'
        AND (t.quantity * t.price > t.hold OR t.quantity * t.price > a.amount) AS overdrawn
    ), entered AS (
      INSERT INTO executions (${NEW_EXECUTION})
      SELECT execution_id, id FROM settled WHERE status = 'filled' ORDER BY execution_id COLLATE "C"
    ), cash_moved AS (
      UPDATE balances b SET amount = b.amount + s.proceeds, held = b.held - s.hold, buys_blocked = b.buys_blocked OR s.overdrawn,
        revision = s.revision, last_modified = CASE WHEN s.proceeds <> 0 OR s.hold > 0 THEN now() ELSE b.last_modified END
      FROM (
        SELECT customer_id, sum(hold) AS hold, bool_or(overdrawn) AS overdrawn, max(greatest(executed_revision, final_revision)) AS revision,
          sum(CASE WHEN status <> 'filled' THEN 0 WHEN type = 'buy' THEN -quantity * price ELSE quantity * price END) AS proceeds
        FROM settled GROUP BY customer_id
      ) AS s WHERE b.customer_id = ANY (ARRAY[s.customer_id])
    ), shares_bought AS (
      INSERT INTO positions AS p (${NEW_POSITION})
      SELECT customer_id, stock_ticker, sum(quantity) FROM settled
      WHERE status = 'filled' AND type = 'buy' GROUP BY customer_id, stock_ticker ORDER BY customer_id, stock_ticker
      ON CONFLICT (customer_id, stock_ticker) DO UPDATE SET quantity = p.quantity + EXCLUDED.quantity
    ), shares_sold AS (
      UPDATE positions p SET quantity = p.quantity - s.sold, held = p.held - s.held
      FROM (
        SELECT customer_id, stock_ticker, sum(quantity) AS held, sum(CASE status WHEN 'filled' THEN quantity ELSE 0 END) AS sold
        FROM settled WHERE type = 'sell' GROUP BY customer_id, stock_ticker
      ) AS s WHERE p.customer_id = ANY (ARRAY[s.customer_id]) AND p.stock_ticker = s.stock_ticker
    ), queued AS (
      UPDATE open_trades o SET waits_for_open = true, queued_at = now() FROM settled s
      WHERE s.status = 'placed' AND o.partition = ANY (ARRAY[s.partition]) AND o.customer_id = s.customer_id AND (o.seq = s.seq OR o.waits_for_open)
    ), closed AS (
      DELETE FROM open_trades o USING settled s
      WHERE s.status <> 'placed' AND o.partition = ANY (ARRAY[s.partition]) AND o.customer_id = s.customer_id AND o.seq = s.seq
    )
    SELECT ${TRADE_COLUMNS}, t.overdrawn FROM settled t`;
  const byId = new Map(rows.map((row) => [row.id, row]));
  return reports.map((report) => {
    const row = byId.get(report.tradeId);
    if (row === undefined) return null;
    const { overdrawn, ...trade } = row;
    return { trade, overdrawn };
  });
}
