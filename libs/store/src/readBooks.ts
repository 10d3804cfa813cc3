import type { Trade, UsdE4 } from '@stockbroker/trading';
import type { Database } from './database.ts';

/** A customer's cash as it is, beside what the customer's trades say of it. */
export interface CashEntry {
  customerId: string;
  amount: UsdE4;
  held: UsdE4;
  /** Proceeds of the sells less costs of the buys. */
  moved: UsdE4;
  /** Holds of the executed buys. */
  holds: UsdE4;
}

/** A customer's shares of one stock as they are, beside what the customer's trades say of them. */
export interface ShareEntry {
  customerId: string;
  stockTicker: string;
  quantity: bigint;
  held: bigint;
  /** Bought less sold. */
  moved: bigint;
  /** Quantities of the executed sells. */
  holds: bigint;
}

/** What the tables say of customers' money and shares, from both sides, in one snapshot each. */
export async function readCash(db: Database): Promise<CashEntry[]> {
  return db.$queryRaw<CashEntry[]>`
    SELECT b.customer_id AS "customerId", b.amount, b.held, coalesce(t.moved, 0)::bigint AS moved, coalesce(t.holds, 0)::bigint AS holds
    FROM balances b LEFT JOIN (
      SELECT customer_id,
        sum(CASE WHEN status = 'filled' THEN quantity * price * CASE type WHEN 'buy' THEN -1 ELSE 1 END ELSE 0 END) AS moved,
        sum(CASE WHEN status = 'executed' THEN hold ELSE 0 END) AS holds
      FROM trades GROUP BY customer_id
    ) AS t ON t.customer_id = b.customer_id`;
}

export async function readShares(db: Database): Promise<ShareEntry[]> {
  return db.$queryRaw<ShareEntry[]>`
    SELECT coalesce(p.customer_id, t.customer_id) AS "customerId", coalesce(p.stock_ticker, t.stock_ticker) AS "stockTicker",
      coalesce(p.quantity, 0)::bigint AS quantity, coalesce(p.held, 0)::bigint AS held,
      coalesce(t.moved, 0)::bigint AS moved, coalesce(t.holds, 0)::bigint AS holds
    FROM positions p FULL JOIN (
      SELECT customer_id, stock_ticker,
        sum(CASE WHEN status = 'filled' THEN quantity * CASE type WHEN 'buy' THEN 1 ELSE -1 END ELSE 0 END) AS moved,
        sum(CASE WHEN status = 'executed' AND type = 'sell' THEN quantity ELSE 0 END) AS holds
      FROM trades GROUP BY customer_id, stock_ticker
    ) AS t ON t.customer_id = p.customer_id AND t.stock_ticker = p.stock_ticker`;
}

/** Trades whose row in open_trades is missing, or is there although they have ended. */
export async function readMislaidTrades(db: Database): Promise<{ tradeId: string; status: string | null }[]> {
  return db.$queryRaw<{ tradeId: string; status: string | null }[]>`
    SELECT coalesce(t.id, o.trade_id) AS "tradeId", t.status::text AS status
    FROM open_trades o FULL JOIN (SELECT id, status FROM trades WHERE status IN ('placed', 'executed')) AS t ON t.id = o.trade_id
    WHERE t.id IS NULL OR o.trade_id IS NULL`;
}

/** All trades in the order placed, a page at a time. */
export async function* readAllTrades(db: Database, pageSize = 2_000): AsyncGenerator<Trade> {
  for (let after = -1n; ; ) {
    const page: Trade[] = await db.trade.findMany({ where: { seq: { gt: after } }, orderBy: { seq: 'asc' }, take: pageSize });
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}
