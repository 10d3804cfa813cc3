import { type Database, Prisma } from '../database.ts';
import { attempt } from '../errors.ts';

/** Something in the books that is not as it must be. */
export interface Finding {
  customerId: string;
  what: 'cash' | 'held' | 'negative' | 'shares' | 'shares-held' | 'not-listed' | 'incomplete' | 'execution' | 'stray';
  /** A stock or a trade, where it is about one. */
  subject: string | null;
  actual: string;
  expected: string;
}

export interface CheckedPage {
  customers: number;
  /** At most 1,000 of the page. */
  findings: Finding[];
}

const NIL = '00000000-0000-0000-0000-000000000000';

/**
 * Proves the books of all customers, a page of them in one statement: cash = entries + fills, held = holds of open buys, nothing
 * below zero unless blocked, the same for shares, each open trade listed as open, each final trade complete, each fill with an
 * execution of its own.
 *
 * Every rule is about one customer, and a statement sees one moment: so each page is proven exactly, while trades go on, without a
 * lock, and without a long transaction, which would keep dead rows in the hot tables from being vacuumed.
 */
export async function* checkAccounts(db: Database, pageSize = 500): AsyncGenerator<CheckedPage> {
  for (let from: string | null = NIL; from !== null; ) {
    const ids = await attempt(
      () => db.$queryRaw<{ id: string }[]>`
        SELECT customer_id AS id FROM balances WHERE customer_id >= ${from}::uuid ORDER BY customer_id LIMIT ${pageSize + 1}`,
    );
    const next: string | null = ids[pageSize]?.id ?? null;
    // Customers without a balance belong to the page too: they must not have trades or shares.
    const upTo = next === null ? Prisma.empty : Prisma.sql`AND customer_id < ${next}::uuid`;
    const page = Prisma.sql`customer_id >= ${from}::uuid ${upTo}`;
    const findings = await attempt(() => checkPage(db, page));
    yield { customers: Math.min(ids.length, pageSize), findings };
    from = next;
  }
}

function checkPage(db: Database, page: Prisma.Sql): Promise<Finding[]> {
  return db.$queryRaw<Finding[]>`
    WITH trade AS MATERIALIZED (
      SELECT id, customer_id, partition, seq, stock_ticker, type, status, quantity, hold, price, execution_id, quantity::numeric * price AS cost,
        num_nulls(limit_price, hold, submitted_at, price, execution_id, executed_at) AS missing, num_nulls(reject_code, reason) AS unexplained
      FROM trades WHERE ${page}
    ), cash AS (
      SELECT customer_id, sum(amount) AS amount, sum(held) AS held, bool_or(blocked) AS blocked, sum(entered) AS entered, sum(holds) AS holds
      FROM (
        SELECT customer_id, amount, held, buys_blocked AS blocked, 0::numeric AS entered, 0 AS holds FROM balances WHERE ${page}
        UNION ALL SELECT customer_id, 0, 0, false, amount, 0 FROM account_entries WHERE ${page} AND stock_ticker IS NULL
        UNION ALL SELECT customer_id, 0, 0, false, CASE type WHEN 'buy' THEN -cost ELSE cost END, 0 FROM trade WHERE status = 'filled'
        UNION ALL SELECT customer_id, 0, 0, false, 0, hold FROM trade WHERE status = 'executed'
      ) AS c GROUP BY customer_id
    ), share AS (
      SELECT customer_id, stock_ticker, sum(quantity) AS quantity, sum(held) AS held, sum(entered) AS entered, sum(holds) AS holds
      FROM (
        SELECT customer_id, stock_ticker, quantity, held, 0::numeric AS entered, 0 AS holds FROM positions WHERE ${page}
        UNION ALL SELECT customer_id, stock_ticker, 0, 0, amount, 0 FROM account_entries WHERE ${page} AND stock_ticker IS NOT NULL
        UNION ALL SELECT customer_id, stock_ticker, 0, 0, CASE type WHEN 'buy' THEN quantity ELSE -quantity END, 0
          FROM trade WHERE status = 'filled'
        UNION ALL SELECT customer_id, stock_ticker, 0, 0, 0, quantity FROM trade WHERE status = 'executed' AND type = 'sell'
      ) AS s GROUP BY customer_id, stock_ticker
    )
    SELECT customer_id AS "customerId", what, subject, actual::text, expected::text FROM (
      SELECT customer_id, 'cash' AS what, NULL AS subject, amount::text AS actual, entered::text AS expected FROM cash WHERE amount <> entered
      UNION ALL SELECT customer_id, 'held', NULL, held::text, holds::text FROM cash WHERE held <> holds
      UNION ALL SELECT customer_id, 'negative', NULL, amount::text, held::text FROM cash WHERE NOT blocked AND (amount < 0 OR amount < held)
      UNION ALL SELECT customer_id, 'shares', stock_ticker, quantity::text, entered::text FROM share WHERE quantity <> entered
      UNION ALL SELECT customer_id, 'shares-held', stock_ticker, held::text, holds::text FROM share WHERE held <> holds
      UNION ALL SELECT customer_id, 'negative', stock_ticker, quantity::text, held::text FROM share WHERE quantity < 0 OR quantity < held
      UNION ALL SELECT customer_id, 'not-listed', id::text, status::text, 'a row in open_trades' FROM trade t
        WHERE status IN ('placed', 'executed') AND NOT EXISTS (SELECT FROM open_trades o
          WHERE o.partition = t.partition AND o.customer_id = t.customer_id AND o.seq = t.seq AND o.trade_id = t.id)
      UNION ALL SELECT customer_id, 'incomplete', id::text, status::text, 'all that a final trade must have' FROM trade
        WHERE (status = 'filled' AND missing > 0) OR (status = 'rejected' AND unexplained > 0)
      UNION ALL SELECT customer_id, 'execution', id::text, execution_id, 'an execution that is entered for this trade' FROM trade t
        WHERE status = 'filled' AND NOT EXISTS (SELECT FROM executions e WHERE e.execution_id = t.execution_id AND e.trade_id = t.id)
    ) AS f ORDER BY customer_id, what LIMIT 1000`;
}

/** Rows of open_trades whose trade is not open, or not there: they would hold up a customer's queue. */
export async function* checkOpenTrades(db: Database, pageSize = 5_000): AsyncGenerator<{ rows: number; findings: Finding[] }> {
  type Row = Finding & { partition: number; seq: bigint; open: boolean };
  for (let after: Pick<Row, 'partition' | 'customerId' | 'seq'> = { partition: -1, customerId: NIL, seq: 0n }; ; ) {
    const { partition, customerId, seq } = after;
    const rows = await attempt(
      () => db.$queryRaw<Row[]>`
        SELECT o.partition, o.customer_id AS "customerId", o.seq, 'stray' AS what, o.trade_id::text AS subject,
          coalesce(t.status::text, 'no trade') AS actual, 'placed or executed' AS expected,
          coalesce(t.status IN ('placed', 'executed') AND t.seq = o.seq AND t.customer_id = o.customer_id, false) AS open
        FROM (
          SELECT * FROM open_trades WHERE (partition, customer_id, seq) > (${partition}::smallint, ${customerId}::uuid, ${seq}::bigint)
          ORDER BY partition, customer_id, seq LIMIT ${pageSize}
        ) AS o LEFT JOIN trades t ON t.id = o.trade_id ORDER BY o.partition, o.customer_id, o.seq`,
    );
    const findings = rows.filter(({ open }) => !open).map(({ partition: _p, seq: _s, open: _o, ...finding }) => finding);
    yield { rows: rows.length, findings };
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return;
    after = last;
  }
}
