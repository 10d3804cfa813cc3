export interface Balance {
  amount: bigint;
  held: bigint;
  buysBlocked: boolean;
  /** How often the customer's trades or account have changed. */
  revision: number;
}

export interface Position {
  quantity: bigint;
  held: bigint;
}
