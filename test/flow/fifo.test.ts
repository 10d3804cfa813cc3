import { TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker, Customer } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({
    gateways: 2,
    workers: 2,
    callbacksOver: 'grpc',
    quotes: { AAPL: { bid: '9.90', ask: '10.00' }, MSFT: { bid: '99.00', ask: '100.00' } },
  });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const FAULTS = { latencyMaxMs: 20, duplicateRate: 0.1, lateRate: 0.1, lateMs: 50, reorderRate: 0.3, rejectRate: 0.05 };

test('each customer’s trades reach the exchange in the order placed, over two gateways and two workers, whatever the exchange’s callbacks do', async () => {
  const customers = await broker.customers(30, { cash: usd('1000.00'), shares: { MSFT: 20 } });
  await broker.exchange.whileBehaving({ manual: false, ...FAULTS }, async () => {
    await Promise.all(
      customers.map(async (customer, number) => {
        const trades = await placeTen(customer, number);
        for (const trade of trades) await customer.ended(trade);
        // Refused trades never reach the exchange; the others must stand in its journal as they were placed.
        const sent = await Promise.all(trades.map((trade) => customer.trade(trade)));
        const expected = sent.filter(({ submittedAt }) => submittedAt !== undefined).map(({ orderId }) => orderId);
        expect(await broker.exchange.orderOf(trades)).toEqual(expected);
      }),
    );
  });
  const leaders = await broker.db.partitionLease.findMany({ select: { leader: true }, distinct: ['leader'] });
  expect(leaders.filter(({ leader }) => leader !== '').length).toBe(2);
});

/** Each is acknowledged before the next is placed, at another gateway. */
async function placeTen(customer: Customer, number: number) {
  const trades = [];
  for (let i = 0; i < 10; i += 1) {
    const gateway = (number + i) % 2;
    const trade =
      i % 3 === 0 ? customer.sells(2, 'MSFT', {}, gateway) : customer.buys(1 + ((number + i) % 40), 'AAPL', {}, gateway);
    trades.push(await trade);
  }
  return trades;
}

test('a hundred trades that one customer places at once are executed in the order in which ListTrades has them', async () => {
  const alice = await broker.customer({ cash: usd('100000.00') });
  await Promise.all(Array.from({ length: 100 }, (_, i) => alice.buys(i + 1, 'AAPL', {}, i % 2)));
  const { trades } = await alice.calls().listTrades({ pageSize: 100 });
  await broker.exchange.whileBehaving({ manual: false }, () => broker.allEnded());
  expect(await broker.exchange.orderOf(trades)).toEqual(trades.toReversed().map(({ orderId }) => orderId));
  const { trades: ended } = await alice.calls().listTrades({ pageSize: 100, statuses: [TradeStatus.TRADE_STATUS_FILLED] });
  expect(ended).toHaveLength(100);
});
