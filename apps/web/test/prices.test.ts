import { expect, test } from 'vitest';
import { estimate, mostOf } from '../src/estimate.ts';
import { pricesOf } from '../src/prices.ts';

const quote = (bid: string, ask: string) => ({ stockTicker: 'AAPL', bid, ask, halted: false, quotedAt: undefined });

test('prices: one side is enough for a chart, and for the orders that trade at it', () => {
  const [bid, ask] = [pricesOf(quote('9.9000', '')), pricesOf(quote('', '10.0000'))];
  expect(bid).toEqual({ bid: 99_000n, ask: undefined, mid: 99_000n });
  expect(ask).toEqual({ bid: undefined, ask: 100_000n, mid: 100_000n });
  expect(estimate('sell', 2, bid)).toMatchObject({ price: 99_000n, value: 198_000n, limit: 94_050n });
  expect(estimate('buy', 2, bid)).toBeUndefined();
  expect(estimate('buy', 2, ask)).toMatchObject({ price: 100_000n, limit: 105_000n });
  expect(estimate('sell', 2, ask)).toBeUndefined();
  expect(mostOf('buy', bid, 1_000_000n, 5n)).toBeUndefined();
  expect(mostOf('sell', bid, 1_000_000n, 5n)).toBe(5);
});

test('prices: without a side there is none', () => {
  expect(pricesOf(undefined)).toBeUndefined();
  expect(pricesOf(quote('', ''))).toBeUndefined();
  expect(estimate('buy', 1, undefined)).toBeUndefined();
});
