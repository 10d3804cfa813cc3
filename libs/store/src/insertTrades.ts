import type { InsertResult } from '@stockbroker/trade-flow';
import { type NewTrade, placedTrade, type Trade } from '@stockbroker/trading';
import type { Queries } from './statement.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

type Inserted = Pick<Trade, 'id' | 'seq' | 'createdAt' | 'placedRevision'>;

/**
 * Stores placed trades, in the order given. A trade whose client order id the customer has used is not stored again.
 *
 * seq is the order in which a customer's trades are executed, so a lower seq must never become visible after a higher one was
 * acted upon. Therefore each customer's insertions are serialized by the lock of the balance, as is every change of a customer, in
 * the order of customer_id; seq and the customer's revision are taken under it.
 *
 * Where a trade turns out to be stored already, its revision stays unused. That is no change of anything, and told as one of the
 * account. A trade of a customer without a balance is not stored.
 */
export async function insertTrades(db: Queries, trades: NewTrade[]): Promise<InsertResult[]> {
  const column = <K extends keyof NewTrade>(key: K) => trades.map((trade) => trade[key]);
  const inserted = await db.query<Inserted>`/* insertTrades */
    WITH input AS MATERIALIZED (
      SELECT * FROM unnest(${column('id')}::uuid[], ${column('customerId')}::uuid[], ${column('partition')}::smallint[],
          ${column('clientOrderId')}::text[], ${column('stockTicker')}::text[], ${column('type')}::trade_type[],
          ${column('quantity')}::int[], ${column('queueForOpen')}::boolean[]) WITH ORDINALITY
        AS i(id, customer_id, partition, client_order_id, stock_ticker, type, quantity, queue_for_open, rank)
    ), account AS MATERIALIZED (
      SELECT i.*, b.revision FROM input i JOIN balances b ON b.customer_id = ANY (ARRAY[i.customer_id])
      ORDER BY i.customer_id FOR NO KEY UPDATE OF b
    ), inserted AS (
      INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, queue_for_open, placed_revision)
      SELECT id, customer_id, partition, client_order_id, stock_ticker, type, quantity, queue_for_open,
        revision + row_number() OVER (PARTITION BY customer_id ORDER BY rank)
      FROM account ORDER BY rank
      ON CONFLICT (customer_id, client_order_id) DO NOTHING
      RETURNING id, customer_id, partition, seq, created_at, placed_revision, queue_for_open
    ), opened AS (
      INSERT INTO open_trades (partition, customer_id, seq, trade_id, waits_for_open)
      SELECT partition, customer_id, seq, id, queue_for_open FROM inserted
    ), counted AS (
      UPDATE balances b SET revision = i.revision
      FROM (SELECT customer_id, max(placed_revision) AS revision FROM inserted GROUP BY customer_id) AS i
      WHERE b.customer_id = ANY (ARRAY[i.customer_id])
    )
    SELECT id, seq, created_at AS "createdAt", placed_revision AS "placedRevision" FROM inserted`;
  const byId = new Map(inserted.map((row) => [row.id, row]));
  const existing = await readExisting(
    db,
    trades.filter((trade) => !byId.has(trade.id)),
  );
  return trades.map((trade) => {
    const row = byId.get(trade.id);
    if (row !== undefined) return { kind: 'inserted', trade: placedTrade(trade, row) };
    const found = existing.get(`${trade.customerId} ${trade.clientOrderId}`);
    return found === undefined ? { kind: 'no-account' } : { kind: 'existing', trade: found };
  });
}

/**
 * In a statement of its own: the one before cannot see what was committed while it waited for a lock. Rare. The first trade from that client
 * order id on, because only the index of client order ids has that order; asked for the one alone, the planner may read all of the customer's.
 */
async function readExisting(db: Queries, trades: NewTrade[]): Promise<Map<string, Trade>> {
  if (trades.length === 0) return new Map();
  const rows = await db.query<Trade>`/* readExistingTrades */
    SELECT ${TRADE_COLUMNS}
    FROM unnest(${trades.map((trade) => trade.customerId)}::uuid[], ${trades.map((trade) => trade.clientOrderId)}::text[])
      AS i(customer_id, client_order_id)
    CROSS JOIN LATERAL (
      SELECT * FROM trades t WHERE t.customer_id = i.customer_id AND t.client_order_id >= i.client_order_id
      ORDER BY t.client_order_id LIMIT 1
    ) AS t WHERE t.client_order_id = i.client_order_id`;
  return new Map(rows.map((row) => [`${row.customerId} ${row.clientOrderId}`, row]));
}
