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

const TICKERS = [
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
  const random = seededRandom(seed);
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const plans = Array.from({ length: customers }, (_, index): Plan => {
    const first = between(0, TICKERS.length - 1);
    const tickers = Array.from({ length: TICKERS_EACH }, (_, i) => TICKERS[(first + 3 * i) % TICKERS.length] ?? '');
    const shares = Object.fromEntries(tickers.map((ticker) => [ticker, between(0, 120)]));
    const cash = BigInt(between(5_000, 150_000)) * 10_000n;
    return { account: { customerId: customerId(seed, index), cash, shares }, orders: [] };
  });
  for (let i = 0; i < trades; i += 1) {
    const plan = plans[i % customers];
    const tickers = Object.keys(plan?.account.shares ?? {});
    plan?.orders.push({
      clientOrderId: `demo-${i}`,
      stockTicker: tickers[between(0, tickers.length - 1)] ?? '',
      isBuy: random() < 0.55,
      quantity: random() < ABSURD ? 100_000 : between(1, 20),
    });
  }
  return plans;
}

function customerId(seed: number, index: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return `${hex(seed, 8)}-0000-4000-8000-${hex(index, 12)}`;
}

/** mulberry32: numbers in [0, 1) that look random, the same for the same seed. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
