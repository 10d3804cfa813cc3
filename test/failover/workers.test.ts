import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { expectAllFilledInOrder, placeQueues } from '../support/queues.ts';

let broker: Broker;
let customers: Customer[];
beforeAll(async () => {
  broker = await openBroker({
    workers: 3,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { worker: { LEASE_TTL_MS: '1500', SWEEP_MS: '500', ASK_AFTER_MS: '1000' } },
  });
  customers = await broker.customers(12, { cash: usd('10000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const leadersOf = () => Promise.all(customers.map((customer) => broker.leaderOf(customer)));

/** One that leads for some of the customers. */
async function aLeader() {
  const [leader] = await leadersOf();
  if (leader === undefined) throw new Error('there are no customers');
  return leader;
}

test('a worker killed with trades in flight: the others take its partitions over, and every trade ends', async () => {
  const queues = await placeQueues(broker, customers);
  const victim = await aLeader();
  await victim.kill();
  await placeQueues(broker, customers.slice(0, 3), { sent: false });
  await expectAllFilledInOrder(broker, queues);
  await victim.start();
});

test('all workers killed at once: trades wait, and go on when there are workers again', async () => {
  const queues = await placeQueues(broker, customers);
  await Promise.all(broker.system.workers.map((worker) => worker.kill()));
  await Promise.all(broker.system.workers.map((worker) => worker.start()));
  await expectAllFilledInOrder(broker, queues);
});

test('a leader that was paused for longer than its lease sends nothing under it afterwards, and every trade ends', async () => {
  const queues = await placeQueues(broker, customers);
  const paused = await aLeader();
  paused.signal('SIGSTOP');
  await eventually(leadersOf, (leaders) => !leaders.includes(paused), { what: 'other leaders' });
  // The new leaders see the first orders filled and send the next, while the old one still believes in the first.
  await Promise.all(queues.map(([first]) => broker.exchange.fills(first, { price: usd('10.00') })));
  await Promise.all(queues.map(([, second]) => broker.exchange.receives(second)));
  paused.signal('SIGCONT');
  await paused.untilReady();
  await expectAllFilledInOrder(broker, queues);
});

test('a worker that is stopped in order hands its partitions over, with trades in flight', async () => {
  const queues = await placeQueues(broker, customers);
  const leaving = await aLeader();
  await leaving.stop();
  await expectAllFilledInOrder(broker, queues);
  expect(await leadersOf()).not.toContain(leaving);
});

test('a worker that joins gets its share of the partitions, with trades in flight', async () => {
  const queues = await placeQueues(broker, customers);
  const joined = await broker.system.addWorker();
  const led = () => broker.db.partitionLease.count({ where: { leader: { startsWith: `${joined.name}-` } } });
  await eventually(led, (count) => count > 0, { what: 'partitions led by the new worker' });
  await expectAllFilledInOrder(broker, queues);
});
