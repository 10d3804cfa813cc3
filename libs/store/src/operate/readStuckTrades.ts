import type { Trade, TradeStatus } from '@stockbroker/trading';
import { type Database, Prisma } from '../database.ts';
import { attempt } from '../errors.ts';
import { TRADE_COLUMNS } from '../tradeColumns.ts';

/** An open trade, with what the database knows of why it is. */
export interface StuckTrade extends Trade {
  ageMs: bigint;
  /** The customer's oldest open trade, when that is another one: it has to end first. */
  behind: string | null;
  /** A report about this trade that was kept for an operator and is not resolved. */
  quarantineId: bigint | null;
}

/** The oldest trades that have been open for at least so long, oldest first; at most `limit`. Those that wait for the open are not stuck. */
export function readStuckTrades(db: Database, { olderThanMs, limit }: { olderThanMs: number; limit: number }) {
  return attempt(
    () => db.$queryRaw<StuckTrade[]>`
      SELECT ${Prisma.raw(TRADE_COLUMNS.text)}, (extract(epoch FROM now() - t.created_at) * 1000)::bigint AS "ageMs",
        (SELECT older.trade_id FROM open_trades older
         WHERE older.partition = t.partition AND older.customer_id = t.customer_id AND older.seq < t.seq AND NOT older.waits_for_open
         ORDER BY older.seq LIMIT 1) AS behind,
        (SELECT min(q.id) FROM callback_quarantine q WHERE q.trade_id = t.id AND q.resolved_at IS NULL) AS "quarantineId"
      FROM (
        SELECT t.* FROM open_trades o JOIN trades t ON t.id = o.trade_id
        WHERE NOT o.waits_for_open AND t.created_at <= now() - make_interval(secs => ${olderThanMs}::float8 / 1000)
        ORDER BY t.created_at, t.seq LIMIT ${limit}
      ) AS t ORDER BY t.created_at, t.seq`,
  );
}

export interface OpenTradeCount {
  status: TradeStatus;
  /** True when another trade of the customer has to end first. */
  behind: boolean;
  count: bigint;
  oldestMs: bigint;
}

/** All trades that have been open for at least so long, counted. */
export function countStuckTrades(db: Database, { olderThanMs }: { olderThanMs: number }) {
  return attempt(
    () => db.$queryRaw<OpenTradeCount[]>`
      SELECT t.status, o.behind, count(*) AS count, (extract(epoch FROM now() - min(t.created_at)) * 1000)::bigint AS "oldestMs"
      FROM (
        SELECT trade_id, seq > min(seq) OVER (PARTITION BY partition, customer_id) AS behind
        FROM open_trades WHERE NOT waits_for_open
      ) AS o JOIN trades t ON t.id = o.trade_id
      WHERE t.created_at <= now() - make_interval(secs => ${olderThanMs}::float8 / 1000)
      GROUP BY t.status, o.behind ORDER BY t.status, o.behind`,
  );
}
