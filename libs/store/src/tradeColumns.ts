import type { Trade } from '@stockbroker/trading';
import { selectList } from './columns.ts';

/** All columns of `trades` as the fields of the domain's Trade; the table's alias must be `t`. */
export const TRADE_COLUMNS = selectList<Trade>({
  id: 't.id',
  customerId: 't.customer_id',
  clientOrderId: 't.client_order_id',
  stockTicker: 't.stock_ticker',
  type: 't.type',
  quantity: 't.quantity',
  queueForOpen: 't.queue_for_open',
  partition: 't.partition',
  seq: 't.seq',
  status: 't.status',
  attempt: 't.attempt',
  rejectCode: 't.reject_code',
  reason: 't.reason',
  rejectNeeded: 't.reject_needed',
  rejectAvailable: 't.reject_available',
  limitPrice: 't.limit_price',
  hold: 't.hold',
  price: 't.price',
  executionId: 't.execution_id',
  createdAt: 't.created_at',
  submittedAt: 't.submitted_at',
  executedAt: 't.executed_at',
  endedAt: 't.ended_at',
  placedRevision: 't.placed_revision',
  executedRevision: 't.executed_revision',
  finalRevision: 't.final_revision',
});
