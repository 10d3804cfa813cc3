import type { RejectReason, Side } from '@stockbroker/rpc/exchange';
import type { Completion, OrderRecord } from './order.ts';

/**
 * The index holds only what is still to be reported, so it stays small however long the history gets: by URL for the reports, and the
 * open orders (no rank yet) for a restart.
 */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS orders (
    sequence INTEGER PRIMARY KEY,
    client_order_id TEXT NOT NULL UNIQUE,
    ticker TEXT NOT NULL,
    side INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    limit_price_e4 INTEGER NOT NULL,
    callback_url TEXT NOT NULL,
    -- 0 pending, 1 delivered, 2 dropped by a fault
    delivery INTEGER NOT NULL,
    -- order of completion; everything from here on is null while the order is open
    rank INTEGER,
    executed_at_ms INTEGER,
    execution_id TEXT,
    price_e4 INTEGER,
    reject_reason INTEGER,
    reject_message TEXT,
    attempt INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX IF NOT EXISTS orders_to_report ON orders (callback_url, rank) WHERE delivery = 0;
`;

/** Journals of before attempts were numbered. */
export const HAS_ATTEMPT = "SELECT 1 FROM pragma_table_info('orders') WHERE name = 'attempt'";
export const ADD_ATTEMPT = 'ALTER TABLE orders ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0';

/** A row of the table; prices are null unless filled. */
export interface OrderRow {
  sequence: number;
  client_order_id: string;
  ticker: string;
  side: number;
  quantity: number;
  limit_price_e4: number;
  callback_url: string;
  delivery: number;
  rank: number | null;
  executed_at_ms: number;
  execution_id: string;
  price_e4: number | null;
  reject_reason: number;
  reject_message: string;
  attempt: number;
}

export function toRecord(row: OrderRow): OrderRecord {
  return {
    sequence: row.sequence,
    clientOrderId: row.client_order_id,
    ticker: row.ticker,
    side: row.side as Side,
    quantity: row.quantity,
    limitPriceE4: row.limit_price_e4,
    callbackUrl: row.callback_url,
    attempt: row.attempt,
    completion: row.rank === null ? undefined : toCompletion(row, row.rank),
    delivered: row.delivery === 1,
  };
}

function toCompletion(row: OrderRow, rank: number): Completion {
  const outcome: Completion['outcome'] =
    row.price_e4 === null
      ? { filled: false, reason: row.reject_reason as RejectReason, message: row.reject_message }
      : { filled: true, priceE4: row.price_e4 };
  return { rank, executedAtMs: row.executed_at_ms, executionId: row.execution_id, outcome };
}

/** The values of a new row, in the order of the columns. */
export function insertValues(order: OrderRecord): (string | number | null)[] {
  const { sequence, clientOrderId, ticker, side, quantity, limitPriceE4, callbackUrl, completion } = order;
  const head = [sequence, clientOrderId, ticker, side, quantity, limitPriceE4, callbackUrl, 0];
  const end =
    completion === undefined
      ? [null, null, null, null, null, null]
      : [completion.rank, completion.executedAtMs, completion.executionId, ...outcomeValues(completion.outcome)];
  return [...head, ...end, order.attempt];
}

/** price_e4, reject_reason, reject_message. */
export function outcomeValues(outcome: Completion['outcome']): [number | null, number, string] {
  return outcome.filled ? [outcome.priceE4, 0, ''] : [null, outcome.reason, outcome.message];
}
