import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkMeans, collar, holdFor, type Means, parseUsd as usd } from '../src/index.ts';

const quote = { stockTicker: 'AAPL', bid: usd('189.90'), ask: usd('189.92'), halted: false };
const means: Means = { amount: usd('1000'), held: 0n, buysBlocked: false, shares: 5n, sharesHeld: 0n };
const order = (type: 'buy' | 'sell', quantity: number) =>
  ({ customerId: 'c', clientOrderId: 'o', stockTicker: 'AAPL', type, quantity, queueForOpen: false }) as const;

describe('collar', () => {
  test('a buy may cost five per cent more than the ask, a sell bring five per cent less than the bid', () => {
    expect(collar('buy', quote.ask)).toBe(usd('199.416'));
    expect(collar('sell', quote.bid)).toBe(usd('180.405'));
  });

  test('prices in whole cents are never rounded, and no price makes a collar wider than five per cent', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 11n }), (price) => {
        const buy = collar('buy', price) * 100n;
        const sell = collar('sell', price) * 100n;
        expect(buy <= price * 105n && buy > price * 105n - 100n).toBe(true);
        expect(sell >= price * 95n && sell < price * 95n + 100n).toBe(true);
        if (price % 100n === 0n) expect([buy, sell]).toEqual([price * 105n, price * 95n]);
      }),
    );
  });
});

describe('means', () => {
  test('a buy needs its whole hold in spendable cash', () => {
    expect(checkMeans(order('buy', 10), usd('100'), means)).toBeNull();
    expect(checkMeans(order('buy', 10), usd('100.0001'), means)).toEqual({
      code: 'INSUFFICIENT_FUNDS',
      needed: usd('1000.001'),
      available: usd('1000'),
    });
    expect(checkMeans(order('buy', 1), usd('100'), { ...means, held: usd('950') })).toEqual({
      code: 'INSUFFICIENT_FUNDS',
      needed: usd('100'),
      available: usd('50'),
    });
  });

  test('a sell needs shares that no other sell holds', () => {
    expect(checkMeans(order('sell', 5), usd('1'), means)).toBeNull();
    expect(checkMeans(order('sell', 5), usd('1'), { ...means, sharesHeld: 1n })).toEqual({
      code: 'INSUFFICIENT_SHARES',
      needed: 5n,
      available: 4n,
      stockTicker: 'AAPL',
    });
  });

  test('a blocked account may sell but not buy', () => {
    expect(checkMeans(order('buy', 1), 1n, { ...means, buysBlocked: true })).toEqual({ code: 'ACCOUNT_BLOCKED' });
    expect(checkMeans(order('sell', 1), 1n, { ...means, buysBlocked: true })).toBeNull();
  });

  test('a buy holds quantity times limit, a sell holds no cash', () => {
    expect(holdFor(order('buy', 3), usd('199.416'))).toBe(usd('598.248'));
    expect(holdFor(order('sell', 3), usd('180.405'))).toBe(0n);
  });
});
