import type { NewTrade, Position } from '@stockbroker/trading';
import { columnList } from './columns.ts';
import type { CallbackQuarantine, Execution, OpenTrade } from './generated/prisma/client.ts';

/**
 * The columns that the broker's processes insert rows with. What is left to the database is named: a column that is added to the schema
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

export const NEW_POSITION = columnList<Omit<Position, 'held'>>({
  customerId: 'customer_id',
  stockTicker: 'stock_ticker',
  quantity: 'quantity',
});

export const NEW_EXECUTION = columnList<Execution>({ executionId: 'execution_id', tradeId: 'trade_id' });

export const NEW_QUARANTINED = columnList<Omit<CallbackQuarantine, 'id' | 'receivedAt' | 'resolvedAt' | 'resolution'>>({
  digest: 'digest',
  tradeId: 'trade_id',
  why: 'why',
  raw: 'raw',
  booked: 'booked',
});
