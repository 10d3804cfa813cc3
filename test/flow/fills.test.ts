import { RejectReason } from '@stockbroker/rpc/exchange';
import { RejectCode, TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' }, MSFT: { bid: '99.00', ask: '100.00' } },
    // Wake-ups and callbacks alone must do: what finds lost ones comes too late for any test here.
    env: { worker: { SWEEP_MS: '60000', ASK_AFTER_MS: '600000' } },
  });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const FILLED = { status: TradeStatus.TRADE_STATUS_FILLED, reason: 'Trade Completed', rejectCode: 0 };

test('a buy that is filled takes its cost from the cash and brings the shares', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const trade = await alice.buys(3, 'AAPL');
  expect(trade).toMatchObject({ status: TradeStatus.TRADE_STATUS_PLACED, reason: 'Trade Placed', customerId: alice.id });
  await broker.exchange.fills(trade, { price: usd('10.00') });
  expect(await alice.trade(trade)).toMatchObject({ ...FILLED, orderId: trade.orderId, price: '10.0000', limitPrice: '10.5000' });
  expect(await alice.cash()).toEqual(usd('970.00'));
  expect(await alice.shares('AAPL')).toBe(3n);
});

test('a sell that is filled takes the shares and brings their price', async () => {
  const alice = await broker.customer({ shares: { AAPL: 5 } });
  const trade = await alice.sells(5, 'AAPL');
  await broker.exchange.fills(trade, { price: usd('9.90') });
  expect(await alice.trade(trade)).toMatchObject({ ...FILLED, price: '9.9000', limitPrice: '9.4050', hold: '0.0000' });
  expect(await alice.cash()).toEqual(usd('49.50'));
  expect(await alice.shares('AAPL')).toBe(0n);
});

test('a buy holds its worst cost until it is filled, and a better price releases the rest', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const trade = await alice.buys(10, 'AAPL');
  await broker.exchange.receives(trade);
  expect(await alice.account()).toMatchObject({ cash: '1000.0000', held: '105.0000', spendable: '895.0000' });
  await broker.exchange.fills(trade, { price: usd('8.0001') });
  expect(await alice.account()).toMatchObject({ cash: '919.9990', held: '0.0000', spendable: '919.9990' });
  expect(await alice.trade(trade)).toMatchObject({ hold: '105.0000', price: '8.0001' });
});

test('a sell holds its shares until it ends', async () => {
  const alice = await broker.customer({ shares: { AAPL: 5, MSFT: 2 } });
  const trade = await alice.sells(3, 'AAPL');
  await broker.exchange.receives(trade);
  expect((await alice.account()).positions).toMatchObject([
    { stockTicker: 'AAPL', quantity: 5n, held: 3n },
    { stockTicker: 'MSFT', quantity: 2n, held: 0n },
  ]);
  await broker.exchange.fills(trade, { price: usd('9.90') });
  expect((await alice.account()).positions).toMatchObject([
    { stockTicker: 'AAPL', quantity: 2n, held: 0n },
    { stockTicker: 'MSFT', quantity: 2n, held: 0n },
  ]);
});

test.each(['buys', 'sells'] as const)('an order that the exchange rejects releases what it held: %s', async (order) => {
  const alice = await broker.customer({ cash: usd('1000.00'), shares: { AAPL: 5 } });
  const trade = await alice[order](5, 'AAPL');
  await broker.exchange.rejects(trade, RejectReason.REJECT_REASON_LIMIT_EXCEEDED, 'the ask is above the limit');
  expect(await alice.trade(trade)).toMatchObject({
    status: TradeStatus.TRADE_STATUS_REJECTED,
    rejectCode: RejectCode.REJECT_CODE_EXCHANGE_REJECTED,
    reason: 'The exchange rejected the order: the ask is above the limit',
  });
  expect(await alice.account()).toMatchObject({
    cash: '1000.0000',
    held: '0.0000',
    positions: [{ stockTicker: 'AAPL', quantity: 5n, held: 0n }],
  });
});

test('a buy placed after a sell spends its proceeds, though there was no cash when it was placed', async () => {
  const alice = await broker.customer({ shares: { AAPL: 100 } });
  const sell = await alice.sells(100, 'AAPL');
  const buy = await alice.buys(9, 'MSFT');
  await broker.exchange.fills(sell, { price: usd('10.00') });
  await broker.exchange.fills(buy, { price: usd('100.00') });
  expect(await alice.trade(buy)).toMatchObject({ ...FILLED, hold: '945.0000' });
  expect(await alice.cash()).toEqual(usd('100.00'));
});

test('the next trade of a customer is sent when the one before has ended, and not before', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const first = await alice.buys(1, 'AAPL');
  const second = await alice.buys(2, 'AAPL');
  await broker.exchange.receives(first);
  expect(await alice.trade(second)).toMatchObject({ status: TradeStatus.TRADE_STATUS_PLACED });
  await broker.exchange.fills(first, { price: usd('10.00') });
  await broker.exchange.receives(second);
  expect(await broker.exchange.orderOf([second, first])).toEqual([first.orderId, second.orderId]);
});

test('customers never wait for each other: while one’s order is open, all others’ are filled', async () => {
  const slow = await broker.customer({ cash: usd('1000.00') });
  const others = await broker.customers(20, { cash: usd('1000.00') });
  const open = await slow.buys(1, 'AAPL');
  await slow.buys(1, 'AAPL');
  await broker.exchange.receives(open);
  await Promise.all(
    others.map(async (other) => {
      for (const quantity of [1, 2, 3]) {
        const trade = await other.buys(quantity, 'AAPL');
        await broker.exchange.fills(trade, { price: usd('10.00') });
      }
      expect(await other.shares('AAPL')).toBe(6n);
    }),
  );
  expect(await slow.trade(open)).toMatchObject({ status: TradeStatus.TRADE_STATUS_EXECUTED, reason: 'Sent To The Exchange' });
});
