import type { InsertResult } from '@stockbroker/trade-flow';
import { type NewTrade, placedTrade, type Trade } from '@stockbroker/trading';
import { NEW_OPEN_TRADE, NEW_TRADE } from './insertedColumns.ts';
import type { Queries } from './statement.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/** Without a seq: not stored, although the customer has an account. */
type Row = Pick<Trade, 'id' | 'createdAt' | 'placedRevision'> & { seq: bigint | null };

export const DEFAULT_MAX_OPEN_TRADES = 1_000;
/** More trades than one customer can place while a statement waits for a lock: whoever has room for so many need not be counted anew. */
const ROOM_FOR_OTHERS = 500;

/**
 * Stores placed trades, in the order given. A trade whose client order id the customer has used is not stored again.
 *
 * seq is the order in which a customer's trades are executed, so a lower seq must never become visible after a higher one was
 * acted upon. Therefore each customer's insertions are serialized by the lock of the balance, as is every change of a customer, in
 * the order of customer_id; seq and the customer's revision are taken under it.
 *
 * Where a trade turns out to be stored already, its revision stays unused. That is no change of anything, and told as one of the
 * account. A trade of a customer without a balance is not stored.
 *
 * Nor is one that would be more than `maxOpen` open trades of its customer. For nearly all it takes one probe to see that there is much
 * room, in what the statement saw when it began; the others are counted under the lock. To count everybody so made the statement a
 * third dearer, and so did window functions that leave out what is stored already: instead, what found no room because of such a
 * trade is tried again.
 */
export async function insertTrades(db: Queries, trades: NewTrade[], maxOpen = DEFAULT_MAX_OPEN_TRADES): Promise<InsertResult[]> {
  const column = <K extends keyof NewTrade>(key: K) => trades.map((trade) => trade[key]);
  const rows = await db.query<Row>`/* insertTrades */
    WITH input AS MATERIALIZED (
      SELECT * FROM unnest(${column('id')}::uuid[], ${column('customerId')}::uuid[], ${column('partition')}::smallint[],
          ${column('clientOrderId')}::text[], ${column('stockTicker')}::text[], ${column('type')}::trade_type[],
          ${column('quantity')}::int[], ${column('queueForOpen')}::boolean[]) WITH ORDINALITY
        AS i(${NEW_TRADE}, rank)
    ), account AS MATERIALIZED (
      SELECT i.*, b.revision FROM input i JOIN balances b ON b.customer_id = ANY (ARRAY[i.customer_id])
      ORDER BY i.customer_id FOR NO KEY UPDATE OF b
    ), inserted AS (
      INSERT INTO trades (${NEW_TRADE}, placed_revision)
      SELECT ${NEW_TRADE}, revision + nth
      FROM (SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY rank) AS nth FROM account) AS a
      WHERE CASE WHEN ${maxOpen}::int > ${ROOM_FOR_OTHERS}::int AND (
          SELECT o.seq FROM open_trades o WHERE o.partition = a.partition AND o.customer_id = a.customer_id
          ORDER BY o.seq OFFSET greatest(0, ${maxOpen}::int - ${ROOM_FOR_OTHERS}::int - a.nth) LIMIT 1) IS NULL THEN true
        ELSE count_open_trades(a.partition, a.customer_id, ${maxOpen}::int) + a.nth <= ${maxOpen}::int END
      ORDER BY rank
      ON CONFLICT (customer_id, client_order_id) DO NOTHING
      RETURNING id, customer_id, partition, seq, created_at, placed_revision, queue_for_open
    ), opened AS (
      INSERT INTO open_trades (${NEW_OPEN_TRADE})
      SELECT partition, customer_id, seq, id, queue_for_open FROM inserted
    ), counted AS (
      UPDATE balances b SET revision = i.revision
      FROM (SELECT customer_id, max(placed_revision) AS revision FROM inserted GROUP BY customer_id) AS i
      WHERE b.customer_id = ANY (ARRAY[i.customer_id])
    )
    SELECT id, seq, created_at AS "createdAt", placed_revision AS "placedRevision" FROM inserted
    UNION ALL SELECT id, NULL, NULL, NULL FROM account WHERE id NOT IN (SELECT id FROM inserted)`;
  const byId = new Map(rows.map((row) => [row.id, row]));
  const rest = trades.filter((trade) => byId.get(trade.id)?.seq == null);
  const existing = await readExisting(db, rest);
  const refused = rest.filter((trade) => byId.has(trade.id) && !existing.has(keyOf(trade)));
  const found = new Set(rest.filter((trade) => existing.has(keyOf(trade))).map(({ customerId }) => customerId));
  const tookRoom = refused.filter(({ customerId }) => found.has(customerId));
  const again = tookRoom.length === 0 ? [] : await insertTrades(db, tookRoom, maxOpen);
  const results = new Map(again.map((result, i) => [tookRoom[i]?.id, result]));
  return trades.map((trade) => {
    const { seq = null, ...row } = byId.get(trade.id) ?? {};
    if (seq !== null) return { kind: 'inserted', trade: placedTrade(trade, { ...(row as Omit<Row, 'seq'>), seq }) };
    const stored = existing.get(keyOf(trade));
    if (stored !== undefined) return { kind: 'existing', trade: stored };
    if (!byId.has(trade.id)) return { kind: 'no-account' };
    return results.get(trade.id) ?? { kind: 'too-many-open', open: maxOpen, limit: maxOpen };
  });
}

type ClientOrder = Pick<NewTrade, 'customerId' | 'clientOrderId'>;

const keyOf = ({ customerId, clientOrderId }: ClientOrder) => `${customerId} ${clientOrderId}`;

/** The trades that customers have placed under these ids of theirs, in the order asked for; null where there is none. */
export async function findTrades(db: Queries, named: ClientOrder[]): Promise<(Trade | null)[]> {
  const existing = await readExisting(db, named);
  return named.map((order) => existing.get(keyOf(order)) ?? null);
}

/**
 * In a statement of its own: the one before cannot see what was committed while it waited for a lock. Rare. The first trade from that client
 * order id on, because only the index of client order ids has that order; asked for the one alone, the planner may read all of the customer's.
 */
async function readExisting(db: Queries, trades: ClientOrder[]): Promise<Map<string, Trade>> {
  if (trades.length === 0) return new Map();
  const rows = await db.query<Trade>`/* readExistingTrades */
    SELECT ${TRADE_COLUMNS}
    FROM unnest(${trades.map((trade) => trade.customerId)}::uuid[], ${trades.map((trade) => trade.clientOrderId)}::text[])
      AS i(customer_id, client_order_id)
    CROSS JOIN LATERAL (
      SELECT * FROM trades t WHERE t.customer_id = i.customer_id AND t.client_order_id >= i.client_order_id
      ORDER BY t.client_order_id LIMIT 1
    ) AS t WHERE t.client_order_id = i.client_order_id`;
  return new Map(rows.map((row) => [keyOf(row), row]));
}
