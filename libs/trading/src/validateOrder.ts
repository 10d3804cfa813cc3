import { isUuid } from './ids.ts';
import { isTicker } from './ticker.ts';
import { MAX_QUANTITY, type TradeType } from './trade.ts';

/** A field that is wrong, by its name in the proto, and what to send instead. */
export interface Violation {
  field: 'customer_id' | 'stock_ticker' | 'type' | 'quantity' | 'client_order_id';
  description: string;
  /** Set when a program may want to tell this violation from the others. */
  reason?: 'UNKNOWN_TICKER';
}

/** Whether an order with these violations, if there are any, may have been right earlier: what is listed changes. */
export function mayHaveBeenValid(violations: Violation[]): boolean {
  return violations.every(({ reason }) => reason === 'UNKNOWN_TICKER');
}

const CLIENT_ORDER_ID = /^[\x21-\x7e]{1,64}$/;

/**
 * Everything that is wrong with an order as a client sent it; empty when nothing is.
 *
 * @param isListed whether the exchange lists a ticker; undefined while that is not known, and the exchange decides later
 */
export function validateOrder(
  order: { stockTicker: string; type: TradeType | undefined; quantity: number; clientOrderId: string; customerId: string },
  isListed: (stockTicker: string) => boolean | undefined,
): Violation[] {
  const violations: Violation[] = [];
  if (!isUuid(order.customerId)) {
    violations.push({ field: 'customer_id', description: 'must be a UUID' });
  }
  if (!isTicker(order.stockTicker)) {
    violations.push({ field: 'stock_ticker', description: 'must be a ticker in capital letters, e.g. AAPL or BRK.B' });
  } else if (isListed(order.stockTicker) === false) {
    const description = `${order.stockTicker} is not listed; ListInstruments names all tickers`;
    violations.push({ field: 'stock_ticker', description, reason: 'UNKNOWN_TICKER' });
  }
  if (order.type === undefined) {
    violations.push({ field: 'type', description: 'must be TRADE_TYPE_BUY or TRADE_TYPE_SELL' });
  }
  if (!Number.isInteger(order.quantity) || order.quantity < 1 || order.quantity > MAX_QUANTITY) {
    violations.push({ field: 'quantity', description: `must be a whole number from 1 to ${MAX_QUANTITY}` });
  }
  if (!CLIENT_ORDER_ID.test(order.clientOrderId)) {
    violations.push({ field: 'client_order_id', description: 'must be 1 to 64 printable ASCII characters without spaces' });
  }
  return violations;
}
