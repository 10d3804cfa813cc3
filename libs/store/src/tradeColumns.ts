import { sqlText } from './statement.ts';

/** All columns of `trades` as the fields of the domain's Trade; the table's alias must be `t`. */
export const TRADE_COLUMNS = sqlText`t.id, t.customer_id AS "customerId", t.client_order_id AS "clientOrderId", t.stock_ticker AS "stockTicker", t.type, t.quantity,
   t.queue_for_open AS "queueForOpen", t.partition, t.seq, t.status, t.attempt, t.reject_code AS "rejectCode", t.reason, t.reject_needed AS "rejectNeeded",
   t.reject_available AS "rejectAvailable", t.limit_price AS "limitPrice", t.hold, t.price, t.execution_id AS "executionId",
   t.created_at AS "createdAt", t.submitted_at AS "submittedAt", t.executed_at AS "executedAt", t.ended_at AS "endedAt",
   t.placed_revision AS "placedRevision", t.executed_revision AS "executedRevision", t.final_revision AS "finalRevision"`;
