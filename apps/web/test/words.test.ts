import { BrokerError, RejectCode, SessionPolicy, Trade, TradeStatus, TradeType } from '@stockbroker/client';
import { parseUsd as usd } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { estimate, mostOf, readQuantity } from '../src/estimate.ts';
import { count, dollars, percent, signedDollars, usdOf } from '../src/money.ts';
import { onePerSecond } from '../src/state/priceSeries.ts';
import { cancelErrorWords, errorWords, newsWords, rejectionWords, statusWords } from '../src/words.ts';

test.each([
  ['1994.1600', '$1,994.16'],
  ['0.0000', '$0.00'],
  ['0.0150', '$0.0150'],
  ['-1234567.8900', '−$1,234,567.89'],
  ['999999999999.9999', '$999,999,999,999.9999'],
])('money: %s reads %s', (amount, words) => {
  expect(dollars(usd(amount))).toBe(words);
});

test('gains have their signs', () => {
  expect([usd('12.3'), usd('-0.01'), 0n].map(signedDollars)).toEqual(['+$12.30', '−$0.01', '$0.00']);
  expect(percent(usd('1.25'), usd('100'))).toBe('+1.25 %');
  expect(percent(usd('-12345'), usd('100'))).toBe('−12,345.00 %');
  expect(percent(usd('-0.001'), usd('100'))).toBe('0.00 %');
  expect(percent(1n, 0n)).toBeUndefined();
});

test('what is no amount is none', () => {
  expect(['', '1.23456', 'NaN', undefined].map(usdOf)).toEqual([undefined, undefined, undefined, undefined]);
  expect(count(1_000_000)).toBe('1,000,000');
});

const prices = { bid: usd('99.00'), ask: usd('100.00'), mid: usd('99.50') };

test('an estimate counts with the prices and limits of the broker', () => {
  expect(estimate('buy', 10, prices)).toEqual({ price: usd('100'), value: usd('1000'), limit: usd('105'), worst: usd('1050') });
  expect(estimate('sell', 10, prices)).toEqual({
    price: usd('99'),
    value: usd('990'),
    limit: usd('94.05'),
    worst: usd('940.50'),
  });
  expect(mostOf('buy', prices, usd('1050.00'), 0n)).toBe(10);
  expect(mostOf('buy', prices, usd('1049.99'), 0n)).toBe(9);
  expect(mostOf('buy', prices, usd('-5'), 0n)).toBe(0);
  expect(mostOf('sell', prices, 0n, 7n)).toBe(7);
  expect(mostOf('sell', prices, 0n, 9_999_999n)).toBe(1_000_000);
});

test.each([
  ['', { problem: 'Enter how many shares.' }],
  ['1.5', { problem: 'Enter a whole number of shares.' }],
  ['-1', { problem: 'Enter a whole number of shares.' }],
  ['0', { problem: 'Enter at least 1 share.' }],
  ['1,000,001', { problem: 'Enter at most 1,000,000 shares.' }],
  [' 1,000 ', { quantity: 1_000 }],
])('the quantity %j', (text, expected) => {
  expect(readQuantity(text)).toEqual(expected);
});

const rejected = (rejectCode: RejectCode, more: Partial<Trade> = {}) =>
  Trade.create({
    type: TradeType.TRADE_TYPE_BUY,
    quantity: 10,
    stockTicker: 'AAPL',
    status: TradeStatus.TRADE_STATUS_REJECTED,
    rejectCode,
    ...more,
  });

test('a rejection has its figures in plain words', () => {
  const funds = rejected(RejectCode.REJECT_CODE_INSUFFICIENT_FUNDS, {
    rejectFigures: { needed: '1994.1600', available: '1000.0000' },
  });
  expect(rejectionWords(funds)).toBe('Not enough cash: this buy needed $1,994.16, and you had $1,000.00 to spend.');
  const shares = rejected(RejectCode.REJECT_CODE_INSUFFICIENT_SHARES, { rejectFigures: { needed: '10', available: '3' } });
  expect(rejectionWords(shares)).toBe('Not enough shares: this sell needed 10 AAPL, and you had 3 to sell.');
  const exchange = rejected(RejectCode.REJECT_CODE_EXCHANGE_REJECTED, { reason: 'The exchange rejected the order: too fast.' });
  expect(newsWords(exchange)).toBe('Buy 10 AAPL: rejected. The exchange rejected the order: too fast.');
});

test('every code of a rejection has words of its own', () => {
  const codes = Object.values(RejectCode).filter((code) => code !== RejectCode.REJECT_CODE_UNSPECIFIED);
  const words = codes.map((code) => rejectionWords(rejected(code, { rejectFigures: { needed: '1', available: '0' } })));
  expect(new Set(words).size).toBe(codes.length);
  expect(words).not.toContain('The order was rejected.');
});

test('a chart has one price a second, the last, and none out of its order', () => {
  const at = (time: number, price: bigint) => ({ time, price });
  expect(onePerSecond([at(1, 10n), at(1, 11n), at(2, 12n), at(1, 13n), at(3, 14n)])).toEqual([
    at(1, 11n),
    at(2, 12n),
    at(3, 14n),
  ]);
});

test('errors in words for a customer', () => {
  const violations = [{ field: 'stock_ticker', description: 'is not listed' }];
  expect(errorWords(new BrokerError('INVALID_ARGUMENT', 'x', { violations }))).toBe(
    'The broker did not take the order: stock ticker is not listed.',
  );
  expect(errorWords(new BrokerError('UNAVAILABLE', 'x'))).toBe('The broker does not answer at the moment.');
  const figures = { open: '1000', limit: '1000' };
  expect(errorWords(new BrokerError('FAILED_PRECONDITION', 'x', { reason: 'TOO_MANY_OPEN_TRADES', figures }))).toBe(
    'You have 1000 open orders, and 1000 are allowed. Nothing was placed: wait until some have ended, or cancel some.',
  );
  expect(errorWords(new BrokerError('UNAVAILABLE', 'x', { reason: 'ACCOUNT_BUSY' }))).toMatch(/Try again shortly/);
  expect(errorWords(new TypeError('x'))).toBe('Something unexpected went wrong on this page.');
});

test('an order that waits for the open, and one that was canceled, say so', () => {
  const { SESSION_POLICY_QUEUE_FOR_OPEN: sessionPolicy } = SessionPolicy;
  const order = { stockTicker: 'AAPL', quantity: 10, type: TradeType.TRADE_TYPE_BUY, sessionPolicy };
  const waiting = Trade.create({ ...order, status: TradeStatus.TRADE_STATUS_PLACED });
  expect([statusWords(waiting), newsWords(waiting)]).toEqual([
    'Waiting for the open',
    'Buy 10 AAPL: placed, and waiting for the open.',
  ]);
  expect(statusWords({ ...waiting, status: TradeStatus.TRADE_STATUS_EXECUTED })).toBe('At the exchange');
  const canceled = rejected(RejectCode.REJECT_CODE_CANCELED);
  expect([statusWords(canceled), newsWords(canceled)]).toEqual(['Canceled', 'Buy 10 AAPL: canceled.']);
  const reason = 'The market is closed; it opens on Monday, November 30 at 9:30 AM EST';
  const closed = rejected(RejectCode.REJECT_CODE_MARKET_CLOSED, { reason });
  expect(rejectionWords(closed)).toBe(`${reason}. An order can be queued for the open.`);
});

test('what Cancel answers, in words', () => {
  const error = (code: 'FAILED_PRECONDITION' | 'UNAVAILABLE', reason?: 'ALREADY_EXECUTED' | 'ALREADY_ENDED') =>
    new BrokerError(code, 'x', { reason });
  expect(cancelErrorWords(error('FAILED_PRECONDITION', 'ALREADY_EXECUTED'))).toMatch(/^Too late to cancel: it has been sent/);
  expect(cancelErrorWords(error('FAILED_PRECONDITION', 'ALREADY_ENDED'))).toMatch(/^Too late to cancel: it has ended/);
  expect(cancelErrorWords(error('UNAVAILABLE'))).toMatch(/not known; try again/);
});
