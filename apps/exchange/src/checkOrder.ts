import { type Order, RejectReason, Side } from '@stockbroker/rpc/exchange';
import { isCallbackUrl } from './callbackUrl.ts';
import type { NewOrder, OrderRecord } from './order.ts';
import { parsePriceE4 } from './prices.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const MAX_TICKER_LENGTH = 16;
const MAX_QUANTITY = 2 ** 31 - 1;

/**
 * A submitted order as it is kept, or why it never becomes one. A ticker that is not listed is no fault of form: such an order is
 * accepted and then rejected by report.
 *
 * @param isKnownUrl true for a callback URL that was found good before; reading URLs is the dearest of the checks
 */
export function checkOrder(order: Order, isKnownUrl: (url: string) => boolean): NewOrder | string {
  const clientOrderId = order.clientOrderId.toLowerCase();
  if (!UUID.test(clientOrderId)) return 'client_order_id must be a UUID';
  const { ticker, side, quantity, callbackUrl, attempt } = order;
  if (ticker === '' || ticker.length > MAX_TICKER_LENGTH) return `ticker must have 1 to ${MAX_TICKER_LENGTH} characters`;
  if (side !== Side.SIDE_BUY && side !== Side.SIDE_SELL) return 'side must be SIDE_BUY or SIDE_SELL';
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > MAX_QUANTITY) return 'quantity must be at least 1';
  const limitPriceE4 = parsePriceE4(order.limitPrice);
  if (!Number.isInteger(attempt) || attempt < 0) return 'attempt must not be negative';
  if (limitPriceE4 === undefined) return 'limit_price must be above zero and written with four places, e.g. "189.9200"';
  if (!isKnownUrl(callbackUrl) && !isCallbackUrl(callbackUrl)) return 'callback_url must be http(s)://… or grpc://host:port';
  return { clientOrderId, ticker, side, quantity, limitPriceE4, callbackUrl, attempt };
}

/** True when the second submission of an id asks for the same; where it is reported may differ. */
export function isSameOrder(a: NewOrder, b: NewOrder): boolean {
  return a.ticker === b.ticker && a.side === b.side && a.quantity === b.quantity && a.limitPriceE4 === b.limitPriceE4;
}

/** True when an order takes the place of one that was rejected because the market was closed. Its limit may be another one. */
export function isNextAttempt(order: NewOrder, before: OrderRecord): boolean {
  const outcome = before.completion?.outcome;
  const wasSentBack = outcome?.filled === false && outcome.reason === RejectReason.REJECT_REASON_MARKET_CLOSED;
  return wasSentBack && order.attempt > before.attempt && isSameOrder({ ...order, limitPriceE4: before.limitPriceE4 }, before);
}
