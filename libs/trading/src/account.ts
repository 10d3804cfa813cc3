import type { UsdE4 } from './money.ts';

/** A customer's cash and shares at one moment. */
export interface Account {
  customerId: string;
  amount: UsdE4;
  held: UsdE4;
  /** A fill cost more than was held for it: no buys until an operator has looked. */
  buysBlocked: boolean;
  lastModified: Date;
  /** Stocks of which the customer has any, by ticker. */
  positions: { stockTicker: string; quantity: bigint; held: bigint }[];
}
