import type { UsdE4 } from './money.ts';

/** A customer's cash. */
export interface Balance {
  customerId: string;
  amount: UsdE4;
  /** Of `amount`, for buys that are executed. */
  held: UsdE4;
  /** A fill cost more than was held for it: no buys until an operator has looked. */
  buysBlocked: boolean;
  /** How often the customer's trades or account have changed. */
  revision: number;
  lastModified: Date;
}

/** A customer's shares of one stock. */
export interface Position {
  customerId: string;
  stockTicker: string;
  quantity: bigint;
  /** Of `quantity`, for sells that are executed. */
  held: bigint;
}

/** A customer's cash and shares at one moment. */
export interface Account extends Omit<Balance, 'revision'> {
  /** Stocks of which the customer has any, by ticker. */
  positions: Omit<Position, 'customerId'>[];
}
