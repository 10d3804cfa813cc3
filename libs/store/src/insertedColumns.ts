import type { Balance, NewTrade, Position } from '@stockbroker/trading';
import { columnList } from './columns.ts';
import type { AccountEntry, CallbackQuarantine, Execution, OpenTrade, OperatorAction } from './generated/prisma/client.ts';

/**
 * The columns that each table's rows are inserted with. What is left to the database is named: a column that is added to the schema
 * does not compile until it is either inserted or left out here. The values of a statement follow this order.
 */

/** Without placed_revision, which the statement itself computes; `placedTrade` has what the others are at first. */
export const NEW_TRADE = columnList<NewTrade>({
  id: 'id',
  customerId: 'customer_id',
  partition: 'partition',
  clientOrderId: 'client_order_id',
  stockTicker: 'stock_ticker',
  type: 'type',
  quantity: 'quantity',
  queueForOpen: 'queue_for_open',
});

export const NEW_OPEN_TRADE = columnList<Omit<OpenTrade, 'queuedAt'>>({
  partition: 'partition',
  customerId: 'customer_id',
  seq: 'seq',
  tradeId: 'trade_id',
  waitsForOpen: 'waits_for_open',
});

export const NEW_BALANCE = columnList<Omit<Balance, 'held' | 'buysBlocked' | 'revision' | 'lastModified'>>({
  customerId: 'customer_id',
  amount: 'amount',
});

export const NEW_POSITION = columnList<Omit<Position, 'held'>>({
  customerId: 'customer_id',
  stockTicker: 'stock_ticker',
  quantity: 'quantity',
});

export const NEW_ACCOUNT_ENTRY = columnList<Omit<AccountEntry, 'id' | 'enteredAt'>>({
  customerId: 'customer_id',
  stockTicker: 'stock_ticker',
  amount: 'amount',
  why: 'why',
});

export const NEW_EXECUTION = columnList<Execution>({ executionId: 'execution_id', tradeId: 'trade_id' });

export const NEW_QUARANTINED = columnList<Omit<CallbackQuarantine, 'id' | 'receivedAt' | 'resolvedAt' | 'resolution'>>({
  digest: 'digest',
  tradeId: 'trade_id',
  why: 'why',
  raw: 'raw',
  booked: 'booked',
});

export const NEW_OPERATOR_ACTION = columnList<Omit<OperatorAction, 'id' | 'doneAt'>>({
  operator: 'operator',
  action: 'action',
  subject: 'subject',
  note: 'note',
});
