import type { UsdE4 } from './money.ts';
import type { Refusal } from './refusal.ts';
import type { TradeOrder, TradeType } from './trade.ts';

/** The best prices of a stock, a share. */
export interface Quote {
  stockTicker: string;
  /** What a seller gets; null while nobody bids. */
  bid: UsdE4 | null;
  /** What a buyer pays; null while nobody asks. */
  ask: UsdE4 | null;
  halted: boolean;
}

/** What a customer has, as far as one trade is concerned. */
export interface Means {
  amount: UsdE4;
  held: UsdE4;
  buysBlocked: boolean;
  /** Of the trade's stock. */
  shares: bigint;
  sharesHeld: bigint;
}

/**
 * The worst price accepted: for a buy the ask × 1.05, for a sell the bid × 0.95. Exact for prices in whole cents; a price below
 * that is cut to the ten-thousandth that is nearer the market, so that a collar is never wider than 5 %.
 *
 * @param price see sideOf
 */
export function collar(type: TradeType, price: UsdE4): UsdE4 {
  return type === 'buy' ? (price * 105n) / 100n : (price * 95n + 99n) / 100n;
}

/** What an order of this type trades at: a buy at the ask, a sell at the bid. The other side may be missing. */
export function sideOf(type: TradeType, quote: Pick<Quote, 'bid' | 'ask'>): UsdE4 | null {
  return type === 'buy' ? quote.ask : quote.bid;
}

/** The cash that a trade holds until it ends: a buy's worst cost; nothing for a sell, which holds its shares. */
export function holdFor(order: Pick<TradeOrder, 'type' | 'quantity'>, limitPrice: UsdE4): UsdE4 {
  return order.type === 'buy' ? BigInt(order.quantity) * limitPrice : 0n;
}

/**
 * May the order be sent, given what the customer has? No margin, no short selling: a buy needs its hold in spendable cash, a
 * sell its shares. The store's statement decides by the same rules, on rows that it has locked.
 */
export function checkMeans(order: TradeOrder, limitPrice: UsdE4, means: Means): Refusal | null {
  if (order.type === 'buy') {
    if (means.buysBlocked) return { code: 'ACCOUNT_BLOCKED' };
    const needed = holdFor(order, limitPrice);
    const available = means.amount - means.held;
    return needed > available ? { code: 'INSUFFICIENT_FUNDS', needed, available } : null;
  }
  const needed = BigInt(order.quantity);
  const available = means.shares - means.sharesHeld;
  return needed > available ? { code: 'INSUFFICIENT_SHARES', needed, available, stockTicker: order.stockTicker } : null;
}
