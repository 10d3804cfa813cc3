import { formatUsd, type Trade } from '@stockbroker/trading';
import { type Evidence, groupBy, type Violation } from './evidence.ts';

/** A customer's cash is the opening plus the proceeds of the sells less the costs of the buys, to the ten-thousandth. */
export function checkCash({ openings, tables }: Evidence): Violation[] {
  const balances = new Map(tables.balances.map((balance) => [balance.customerId, balance]));
  const trades = groupBy(tables.trades, ({ customerId }) => customerId);
  return openings.flatMap(({ customerId, cash }) => {
    const balance = balances.get(customerId);
    if (balance === undefined) return [{ check: 'cash', message: `customer ${customerId} has no balance any more`, customerId }];
    const expected = (trades.get(customerId) ?? []).reduce((sum, trade) => sum + cashMoved(trade), cash);
    if (balance.amount === expected) return [];
    const message = `cash of ${customerId} is ${formatUsd(balance.amount)}, but opening and fills make ${formatUsd(expected)}`;
    return [{ check: 'cash', message, customerId }];
  });
}

/** A customer's shares of each stock are the opening plus those bought less those sold. */
export function checkShares({ openings, tables }: Evidence): Violation[] {
  const expected = new Map<string, bigint>();
  const add = (customerId: string, ticker: string, quantity: bigint) => {
    const key = `${customerId} ${ticker}`;
    expected.set(key, (expected.get(key) ?? 0n) + quantity);
  };
  for (const { customerId, shares } of openings)
    for (const [ticker, quantity] of Object.entries(shares)) add(customerId, ticker, BigInt(quantity));
  for (const trade of tables.trades) add(trade.customerId, trade.stockTicker, sharesMoved(trade));
  const owned = new Map(tables.positions.map((row) => [`${row.customerId} ${row.stockTicker}`, row.quantity]));
  return [...new Set([...expected.keys(), ...owned.keys()])].flatMap((key) => {
    const [is, should] = [owned.get(key) ?? 0n, expected.get(key) ?? 0n];
    if (is === should) return [];
    const customerId = key.split(' ')[0] ?? '';
    return [{ check: 'shares', message: `shares of ${key} are ${is}, but opening and fills make ${should}`, customerId }];
  });
}

/** What is held is what the executed trades hold; when none is open, nothing. */
export function checkHolds({ tables }: Evidence): Violation[] {
  const executed = tables.trades.filter(({ status }) => status === 'executed');
  const cash = new Map<string, bigint>();
  const shares = new Map<string, bigint>();
  for (const { customerId, stockTicker, type, quantity, hold } of executed) {
    if (type === 'buy') cash.set(customerId, (cash.get(customerId) ?? 0n) + (hold ?? 0n));
    const key = `${customerId} ${stockTicker}`;
    if (type === 'sell') shares.set(key, (shares.get(key) ?? 0n) + BigInt(quantity));
  }
  return [
    ...tables.balances.flatMap(({ customerId, held }) => {
      const should = cash.get(customerId) ?? 0n;
      const message = `${formatUsd(held)} of ${customerId} is held, but open buys hold ${formatUsd(should)}`;
      return held === should ? [] : [{ check: 'holds', message, customerId }];
    }),
    ...tables.positions.flatMap(({ customerId, stockTicker, held }) => {
      const should = shares.get(`${customerId} ${stockTicker}`) ?? 0n;
      const message = `${held} shares of ${customerId} ${stockTicker} are held, but open sells hold ${should}`;
      return held === should ? [] : [{ check: 'holds', message, customerId }];
    }),
  ];
}

/** How a trade has changed its customer's cash. */
export function cashMoved({ status, type, quantity, price }: Trade): bigint {
  if (status !== 'filled') return 0n;
  const amount = BigInt(quantity) * (price ?? 0n);
  return type === 'buy' ? -amount : amount;
}

/** How a trade has changed its customer's shares of its stock. */
export function sharesMoved({ status, type, quantity }: Trade): bigint {
  if (status !== 'filled') return 0n;
  return type === 'buy' ? BigInt(quantity) : -BigInt(quantity);
}
