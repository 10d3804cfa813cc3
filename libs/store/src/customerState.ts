import type { CustomerState } from '@stockbroker/trade-flow';
import type { Account, Trade } from '@stockbroker/trading';
import { selectList } from './columns.ts';
import { sqlText } from './statement.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/** An asked customer's account. */
export interface AccountRow {
  /** Of the question among those asked together, from 1. */
  rank: bigint;
  accountOf: string;
  amount: bigint;
  cashHeld: bigint;
  buysBlocked: boolean;
  lastModified: Date;
  tickers: string[] | null;
  quantities: bigint[] | null;
  sharesHeld: bigint[] | null;
}

/** With one of the trades; null in all its columns when there is none. */
export interface StateRow extends AccountRow {
  customerRevision: number;
}

/** Of the question `a`, the balance `b` and the positions `p`. */
export const ACCOUNT_COLUMNS = selectList<AccountRow>({
  rank: 'a.rank',
  accountOf: 'b.customer_id',
  amount: 'b.amount',
  cashHeld: 'b.held',
  buysBlocked: 'b.buys_blocked',
  lastModified: 'b.last_modified',
  tickers: 'p.tickers',
  quantities: 'p.quantities',
  sharesHeld: 'p.held',
});
/** And of the trade `t`. */
export const STATE_COLUMNS = sqlText`${ACCOUNT_COLUMNS}, b.revision AS "customerRevision", ${TRADE_COLUMNS}`;

/** The account of the question `a`. */
export const JOIN_ACCOUNT = sqlText`JOIN balances b ON b.customer_id = ANY (ARRAY[a.customer_id])
  CROSS JOIN LATERAL (
    SELECT array_agg(stock_ticker ORDER BY stock_ticker) AS tickers, array_agg(quantity ORDER BY stock_ticker) AS quantities,
      array_agg(held ORDER BY stock_ticker) AS held
    FROM positions WHERE customer_id = a.customer_id AND quantity <> 0
  ) AS p`;

/** The states of the customers asked for, in the order asked; null for those who do not exist. */
export function toStates(asked: number, rows: (StateRow & Trade)[]): (CustomerState | null)[] {
  const states = Array.from({ length: asked }, (): CustomerState | null => null);
  for (const row of rows) {
    const i = Number(row.rank) - 1;
    const state = states[i] ?? toState(row);
    states[i] = state;
    if (row.id !== null) state.trades.push(tradeOf(row));
  }
  return states;
}

function toState(row: StateRow): CustomerState {
  return { revision: row.customerRevision, account: toAccount(row), trades: [] };
}

export function toAccount(row: AccountRow): Account {
  const { accountOf: customerId, amount, cashHeld: held, buysBlocked, lastModified } = row;
  const positions = (row.tickers ?? []).map((stockTicker, i) => ({
    stockTicker,
    quantity: row.quantities?.[i] ?? 0n,
    held: row.sharesHeld?.[i] ?? 0n,
  }));
  return { customerId, amount, held, buysBlocked, lastModified, positions };
}

function tradeOf(row: StateRow & Trade): Trade {
  const { rank: _r, accountOf: _c, customerRevision: _v, amount: _a, cashHeld: _h, buysBlocked: _b, ...rest } = row;
  const { lastModified: _m, tickers: _t, quantities: _q, sharesHeld: _s, ...trade } = rest;
  return trade;
}
