import type { Account, Quote, Trade } from '@stockbroker/client';
import { type CostBasis, costBasis } from '../gains.ts';
import { usdOf } from '../money.ts';
import { pricesOf } from '../prices.ts';

export interface Holding {
  stockTicker: string;
  quantity: bigint;
  held: bigint;
  /** A share, between bid and ask. Undefined: there is no quote. */
  price: bigint | undefined;
  value: bigint | undefined;
  basis: CostBasis | undefined;
  /** Of the shares that were bought here. */
  gain: bigint | undefined;
}

/** @param fills undefined when not all are known: then no cost is */
export function holdingsOf(account: Account, quotes: ReadonlyMap<string, Quote>, fills: readonly Trade[] | undefined): Holding[] {
  return account.positions.map(({ stockTicker, quantity, held }) => {
    const price = pricesOf(quotes.get(stockTicker))?.mid;
    const basis =
      fills &&
      costBasis(
        quantity,
        fills.filter((trade) => trade.stockTicker === stockTicker),
      );
    const hasBought = price !== undefined && basis !== undefined && basis.boughtShares > 0n;
    return {
      stockTicker,
      quantity,
      held,
      price,
      value: price === undefined ? undefined : price * quantity,
      basis,
      gain: hasBought ? price * basis.boughtShares - basis.cost : undefined,
    };
  });
}

/** Cash and shares together; undefined while the price of one is not known. */
export function totalOf(account: Account, holdings: readonly Holding[]): bigint | undefined {
  let total = usdOf(account.cash) ?? 0n;
  for (const { value } of holdings) {
    if (value === undefined) return undefined;
    total += value;
  }
  return total;
}
