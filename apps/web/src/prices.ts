import type { Quote } from '@stockbroker/client';
import type { UsdE4 } from '@stockbroker/trading';
import { usdOf } from './money.ts';

export interface Prices {
  /** Undefined while nobody bids, or asks. */
  bid: UsdE4 | undefined;
  ask: UsdE4 | undefined;
  /** Between them, or the one that there is, as charts and positions show it. */
  mid: UsdE4;
}

/** Undefined when the exchange gives no quote of the stock at present. */
export function pricesOf(quote: Quote | undefined): Prices | undefined {
  const [bid, ask] = [usdOf(quote?.bid), usdOf(quote?.ask)];
  const mid = bid !== undefined && ask !== undefined ? (bid + ask) / 2n : (bid ?? ask);
  return mid === undefined ? undefined : { bid, ask, mid: shownPrice(mid) };
}

/** Stocks of a dollar or more are quoted in whole cents: half a cent between bid and ask is nobody's price. */
export function shownPrice(price: UsdE4): UsdE4 {
  return price < 10_000n ? price : price - (price % 100n);
}
