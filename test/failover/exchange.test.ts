import { TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker, Customer } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { expectAllFilledInOrder, placeQueues } from '../support/queues.ts';

let broker: Broker;
let customers: Customer[];
beforeAll(async () => {
  broker = await openBroker({ env: { worker: { SWEEP_MS: '500', ASK_AFTER_MS: '300', EXCHANGE_TIMEOUT_MS: '500' } } });
  customers = await broker.customers(8, { cash: usd('100000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

test('the exchange killed with orders open: trades wait, and all end when it is back', async () => {
  const queues = await placeQueues(broker, customers);
  await broker.exchange.process.kill();
  const later = await placeQueues(broker, customers, { sent: false });
  for (const [first] of later) expect(first.status).toBe(TradeStatus.TRADE_STATUS_PLACED);
  await broker.exchange.restarts();
  await expectAllFilledInOrder(broker, [...queues, ...later]);
});

test('the exchange killed again and again while it fills orders: all end, each order is there once', async () => {
  await broker.exchange.behaves({ manual: false, latencyMaxMs: 30 });
  const queues = await placeQueues(broker, customers, { sent: false });
  for (let i = 0; i < 3; i += 1) {
    await broker.exchange.process.kill();
    await broker.exchange.restarts();
  }
  await broker.exchange.behaves({ manual: true, latencyMaxMs: 0 });
  await expectAllFilledInOrder(broker, queues);
});

test('reports that the exchange never sends are found by asking', async () => {
  const [alice] = customers;
  const trade = await alice?.buys(1, 'AAPL');
  if (alice === undefined || trade === undefined) throw new Error('there are no customers');
  await broker.exchange.fillsSilently(trade, { price: usd('100.00') });
  expect(await alice.ended(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED, price: '100.0000' });
});

test('all reports dropped: every trade ends all the same', async () => {
  const queues = await placeQueues(broker, customers, { sent: false });
  await broker.exchange.whileBehaving({ dropRate: 1 }, () => expectAllFilledInOrder(broker, queues));
});

test('submissions taken but never answered are in doubt: the orders are asked for, and none is sent twice', async () => {
  const queues = await placeQueues(broker, customers, { sent: false });
  await broker.exchange.whileBehaving({ swallowAnswers: true }, () => expectAllFilledInOrder(broker, queues));
});

test('while the exchange answers UNAVAILABLE trades stay placed; then they are sent', async () => {
  const queues = await broker.exchange.whileBehaving({ unavailable: true }, async () => {
    const placed = await placeQueues(broker, customers, { sent: false });
    for (const customer of customers) {
      const { trades } = await customer.calls().listTrades({ pageSize: 6 });
      expect(trades.every(({ rejectFigures }) => rejectFigures === undefined)).toBe(true);
    }
    return placed;
  });
  await expectAllFilledInOrder(broker, queues);
});

test('duplicate, late, reordered, dropped and contradicting reports all at once: the books are exact', async () => {
  const faults = { duplicateRate: 0.3, lateRate: 0.3, lateMs: 100, reorderRate: 0.5, dropRate: 0.2, conflictRate: 0.2 };
  const queues = await placeQueues(broker, customers, { sent: false });
  await broker.exchange.whileBehaving({ ...faults, latencyMaxMs: 10 }, () => expectAllFilledInOrder(broker, queues));
});
