import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker, Customer } from '@stockbroker/testkit';
import { partitionOf, parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { expectAllFilledInOrder, placeQueues } from '../support/queues.ts';
import { placeUntold } from '../support/untold.ts';

let broker: Broker;
let customers: Customer[];
beforeAll(async () => {
  broker = await openBroker({
    workers: 2,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { worker: { LEASE_TTL_MS: '1500', SWEEP_MS: '500', ASK_AFTER_MS: '1000' } },
  });
  customers = await broker.customers(8, { cash: usd('10000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

test('JetStream’s store wiped, leases and wake-ups alike, with trades queued: every trade ends', async () => {
  const queues = await placeQueues(broker, customers);
  await broker.nats.wipe();
  await expectAllFilledInOrder(broker, queues);
});

test('while NATS is down PlaceTrade succeeds; the trades end when it is back', async () => {
  await broker.nats.kill();
  const queues = await placeQueues(broker, customers, { sent: false });
  for (const [first] of queues) expect(first.status).toBe(TradeStatus.TRADE_STATUS_PLACED);
  await broker.restartNats();
  await expectAllFilledInOrder(broker, queues);
});

test('while NATS is down callbacks settle trades that are at the exchange', async () => {
  const [alice] = customers;
  const trade = await alice?.buys(1, 'AAPL');
  if (trade === undefined) throw new Error('there are no customers');
  await broker.exchange.receives(trade);
  await broker.nats.kill();
  await broker.exchange.fills(trade, { price: usd('10.00') });
  await broker.restartNats();
});

test('NATS silent, its connections open: PlaceTrade succeeds, and the trades end when it speaks again', async () => {
  broker.nats.pause();
  const queues = await placeQueues(broker, customers, { sent: false });
  broker.nats.resume();
  await expectAllFilledInOrder(broker, queues);
});

test('a trade that no wake-up tells of is found by the sweep', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const trade = await placeUntold(broker, alice);
  await broker.exchange.fills(trade, { price: usd('10.00') });
});

test('wake-ups that come many times, late, and for customers without trades do nothing', async () => {
  const [alice] = customers;
  if (alice === undefined) throw new Error('there are no customers');
  const connection = await connect({ servers: broker.nats.url });
  const wake = async (customerId: string) => {
    for (let i = 0; i < 50; i += 1) await jetstream(connection).publish(`trades.${partitionOf(customerId, 100)}`, customerId);
  };
  await wake(alice.id);
  const queues = await placeQueues(broker, [alice]);
  await Promise.all([wake(alice.id), wake(crypto.randomUUID())]);
  await expectAllFilledInOrder(broker, queues);
  await wake(alice.id);
  await connection.close();
});
