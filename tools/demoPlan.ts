import { SeededRandom } from '@stockbroker/runtime';
import type { OpeningAccount } from '@stockbroker/store';

/** What one customer of the demo begins with and wants to trade, in this order. */
export interface Plan {
  account: OpeningAccount;
  orders: Order[];
}

export interface Order {
  clientOrderId: string;
  stockTicker: string;
  isBuy: boolean;
  quantity: number;
}

export const TICKERS: readonly string[] = [
  'AAPL',
  'AMZN',
  'BA',
  'BRK.B',
  'COST',
  'DIS',
  'GOOGL',
  'HD',
  'JPM',
  'KO',
  'META',
  'MSFT',
  'NVDA',
  'PEP',
  'TSLA',
  'V',
];
const TICKERS_EACH = 5;
/** Share of orders that nobody can afford, or that sell what nobody has. */
const ABSURD = 0.02;

/** Everything random about the demo: the same seed makes the same customers and orders. */
export function makePlans(customers: number, trades: number, seed: number): Plan[] {
  const random = new SeededRandom(seed);
  const plans = makeAccounts(customers, seed, random).map((account): Plan => ({ account, orders: [] }));
  for (let i = 0; i < trades; i += 1) {
    const plan = plans[i % customers];
    plan?.orders.push(makeOrder(plan.account, `demo-${i}`, random));
  }
  return plans;
}

/** Accounts with some cash, and shares of a few stocks each. */
export function makeAccounts(customers: number, seed: number, random: SeededRandom): OpeningAccount[] {
  return Array.from({ length: customers }, (_, index) => {
    const first = random.between(0, TICKERS.length - 1);
    const tickers = Array.from({ length: TICKERS_EACH }, (_, i) => TICKERS[(first + 3 * i) % TICKERS.length] ?? '');
    const shares = Object.fromEntries(tickers.map((ticker) => [ticker, random.between(0, 120)]));
    return { customerId: customerId(seed, index), cash: BigInt(random.between(5_000, 150_000)) * 10_000n, shares };
  });
}

/** An order that the customer may well be able to afford, and now and then an absurd one. */
export function makeOrder({ shares }: OpeningAccount, clientOrderId: string, random: SeededRandom): Order {
  return {
    clientOrderId,
    stockTicker: random.pick(Object.keys(shares)),
    isBuy: random.chance(0.55),
    quantity: random.chance(ABSURD) ? 100_000 : random.between(1, 20),
  };
}

function customerId(seed: number, index: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return `${hex(seed, 8)}-0000-4000-8000-${hex(index, 12)}`;
}
