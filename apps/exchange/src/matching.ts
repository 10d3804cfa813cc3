import { RejectReason, Side } from '@stockbroker/rpc/exchange';
import type { Listing } from './market.ts';
import type { NewOrder, Outcome } from './order.ts';
import { formatPriceE4 } from './prices.ts';

/**
 * What the market does with a market order that has a limit: a buy is filled whole at the ask, a sell at the bid, and rejected when
 * that is beyond the limit.
 *
 * @param listing undefined when the ticker is not listed
 */
export function matchOrder(order: NewOrder, listing: Listing | undefined): Outcome {
  if (listing === undefined) return reject(RejectReason.REJECT_REASON_UNKNOWN_TICKER, `${order.ticker} is not listed`);
  if (listing.halted) return reject(RejectReason.REJECT_REASON_HALTED, `trading in ${order.ticker} is halted`);
  const buying = order.side === Side.SIDE_BUY;
  const priceE4 = buying ? listing.askE4 : listing.bidE4;
  if (priceE4 === undefined) return reject(RejectReason.REJECT_REASON_OTHER, `there is no quote for ${order.ticker}`);
  if (buying ? priceE4 > order.limitPriceE4 : priceE4 < order.limitPriceE4) {
    const market = `the ${buying ? 'ask' : 'bid'} is ${formatPriceE4(priceE4)}`;
    return reject(RejectReason.REJECT_REASON_LIMIT_EXCEEDED, `${market}, beyond the limit ${formatPriceE4(order.limitPriceE4)}`);
  }
  return { filled: true, priceE4 };
}

/** A fill that the order does not allow: a hundredth beyond its limit. */
export function beyondLimit({ side, limitPriceE4 }: NewOrder): Outcome {
  const step = Math.ceil(limitPriceE4 / 100);
  return { filled: true, priceE4: Math.max(1, side === Side.SIDE_BUY ? limitPriceE4 + step : limitPriceE4 - step) };
}

function reject(reason: RejectReason, message: string): Outcome {
  return { filled: false, reason, message };
}
