import { type Trade, TradeStatus } from '@stockbroker/client';
import type { UsdE4 } from '@stockbroker/trading';
import { usdOf } from './money.ts';
import { isBuy } from './words.ts';

/** What is known of the cost of the shares of one stock that a customer has. */
export interface CostBasis {
  /** Shares bought here that are still there, and what they cost. */
  boughtShares: bigint;
  cost: UsdE4;
  /** Shares that came with the account: nobody here knows what they cost. */
  otherShares: bigint;
}

/**
 * First in, first out, as US brokers count by default: shares that came with the account are sold before those that were bought.
 *
 * @param fills filled trades of the stock, in any order
 * @returns undefined when these fills cannot have led to that many shares: some are not known
 */
export function costBasis(quantity: bigint, fills: readonly Trade[]): CostBasis | undefined {
  const ordered = fills.filter(({ status }) => status === TradeStatus.TRADE_STATUS_FILLED).sort(byFill);
  const net = ordered.reduce((sum, trade) => sum + (isBuy(trade) ? 1n : -1n) * BigInt(trade.quantity), 0n);
  const opening = quantity - net;
  if (opening < 0n) return undefined;
  const lots: { shares: bigint; price: UsdE4 | undefined }[] = [{ shares: opening, price: undefined }];
  for (const trade of ordered) {
    const shares = BigInt(trade.quantity);
    const price = usdOf(trade.price);
    if (price === undefined) return undefined;
    if (isBuy(trade)) lots.push({ shares, price });
    else if (!takeFrom(lots, shares)) return undefined;
  }
  const bought = lots.filter((lot): lot is { shares: bigint; price: UsdE4 } => lot.price !== undefined);
  return {
    boughtShares: bought.reduce((sum, { shares }) => sum + shares, 0n),
    cost: bought.reduce((sum, { shares, price }) => sum + shares * price, 0n),
    otherShares: lots[0]?.shares ?? 0n,
  };
}

/** @returns false when there are not so many */
function takeFrom(lots: { shares: bigint }[], shares: bigint): boolean {
  let left = shares;
  for (const lot of lots) {
    const taken = lot.shares < left ? lot.shares : left;
    lot.shares -= taken;
    left -= taken;
  }
  return left === 0n;
}

function byFill(a: Trade, b: Trade): number {
  return (a.executedAt?.getTime() ?? 0) - (b.executedAt?.getTime() ?? 0) || (a.orderId < b.orderId ? -1 : 1);
}
