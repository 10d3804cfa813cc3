import { collar, holdFor, MAX_QUANTITY, type TradeType, type UsdE4 } from '@stockbroker/trading';
import { count } from './money.ts';
import type { Prices } from './prices.ts';

/** What an order would do at the prices of this moment. */
export interface Estimate {
  price: UsdE4;
  /** quantity × price: what a buy costs, or a sell brings. */
  value: UsdE4;
  /** The worst price that is accepted, if the prices stay: the worker makes it when the order goes to the exchange. */
  limit: UsdE4;
  /** What a buy costs at most with that limit, held until it ends; for a sell, what it brings at least. */
  worst: UsdE4;
}

/** Undefined while the side that it needs has no price. */
export function estimate(type: TradeType, quantity: number, prices: Prices | undefined): Estimate | undefined {
  const price = type === 'buy' ? prices?.ask : prices?.bid;
  if (price === undefined) return undefined;
  const limit = collar(type, price);
  const worst = type === 'buy' ? holdFor({ type, quantity }, limit) : BigInt(quantity) * limit;
  return { price, value: BigInt(quantity) * price, limit, worst };
}

/** How many a customer can buy with that much cash, or sell of so many shares. */
export function mostOf(type: TradeType, prices: Prices | undefined, spendable: UsdE4, shares: bigint): number | undefined {
  const limit = estimate(type, 1, prices)?.limit;
  if (limit === undefined) return undefined;
  const most = type === 'sell' ? shares : limit > 0n ? spendable / limit : 0n;
  const bounded = most < 0n ? 0n : most;
  return Number(bounded < BigInt(MAX_QUANTITY) ? bounded : BigInt(MAX_QUANTITY));
}

/** The quantity that was typed, or what is wrong with it. */
export function readQuantity(text: string): { quantity: number } | { problem: string } {
  const digits = text.replaceAll(/[,\s]/g, '');
  if (digits === '') return { problem: 'Enter how many shares.' };
  if (!/^\d+$/.test(digits)) return { problem: 'Enter a whole number of shares.' };
  const quantity = Number(digits);
  if (quantity < 1) return { problem: 'Enter at least 1 share.' };
  if (quantity > MAX_QUANTITY) return { problem: `Enter at most ${count(MAX_QUANTITY)} shares.` };
  return { quantity };
}
