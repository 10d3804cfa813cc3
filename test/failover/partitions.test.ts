import { type AppProcess, type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { addGatedWorker, type GatedWorker } from '../support/gatedWorker.ts';
import { expectAllFilledInOrder, placeQueues } from '../support/queues.ts';

/** One worker that reaches everything; each test adds one whose links it breaks. */
let broker: Broker;
let customers: Customer[];
beforeAll(async () => {
  const worker = { LEASE_TTL_MS: '1500', SWEEP_MS: '500', ASK_AFTER_MS: '1000', EXCHANGE_TIMEOUT_MS: '500' };
  broker = await openBroker({ quotes: { AAPL: { bid: '9.90', ask: '10.00' } }, env: { worker } });
  customers = await broker.customers(12, { cash: usd('10000.00'), shares: { AAPL: 10 } });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const leadersOf = () => Promise.all(customers.map((customer) => broker.leaderOf(customer)));

/** Joins, and leads for some of the customers. Nothing moves to it any more: what it cannot do is not asked of it. */
async function joined(): Promise<GatedWorker> {
  const gated = await addGatedWorker(broker);
  await broker.untilEven();
  expect(await leadersOf()).toContain(gated.process);
  return gated;
}

async function customersOf(worker: AppProcess): Promise<Customer[]> {
  const leaders = await leadersOf();
  return customers.filter((_, i) => leaders[i] === worker);
}

test.each(['cut', 'stall'] as const)(
  'a worker whose link to NATS is gone (%s) with trades in flight: others lead, nothing is sent twice',
  async (how) => {
    const { process, links } = await joined();
    const queues = await placeQueues(broker, customers);
    links.nats[how]();
    await eventually(leadersOf, (leaders) => !leaders.includes(process), { what: 'other leaders' });
    await Promise.all(queues.map(([first]) => broker.exchange.fills(first, { price: usd('10.00') })));
    await Promise.all(queues.map(([, second]) => broker.exchange.receives(second)));
    links.nats.restore();
    await expectAllFilledInOrder(broker, queues);
  },
);

test.each(['cut', 'stall'] as const)(
  'a worker whose link to PostgreSQL is gone (%s) with trades in flight: all end in order',
  async (how) => {
    const { process, links } = await joined();
    const queues = await placeQueues(broker, customers);
    links.postgres[how]();
    await Promise.all(queues.map(([first]) => broker.exchange.fills(first, { price: usd('10.00') })));
    const others = (await leadersOf()).map((leader) => leader !== process);
    await Promise.all(queues.filter((_, i) => others[i]).map(([, second]) => broker.exchange.receives(second)));
    links.postgres.restore();
    await expectAllFilledInOrder(broker, queues);
  },
);

test.each(['cut', 'stall'] as const)(
  'a worker whose link to the exchange is gone (%s) with trades in flight: all end in order',
  async (how) => {
    const { process, links } = await joined();
    const queues = await placeQueues(broker, customers);
    links.exchange[how]();
    await Promise.all(queues.map(([first]) => broker.exchange.fills(first, { price: usd('10.00') })));
    const others = (await leadersOf()).map((leader) => leader !== process);
    await Promise.all(queues.filter((_, i) => others[i]).map(([, second]) => broker.exchange.receives(second)));
    links.exchange.restore();
    await expectAllFilledInOrder(broker, queues);
  },
);

test('a trade marked executed and never sent: the next leader asks the exchange, and sends it under the same id', async () => {
  const { process, links } = await joined();
  const [alice] = await customersOf(process);
  if (alice === undefined) throw new Error('the worker leads for nobody');
  const trade = await broker.db.$transaction(async (held) => {
    // Whoever marks a sell needs this row; meanwhile the way to the exchange is closed.
    await held.$queryRaw`SELECT 1 FROM positions WHERE customer_id = ${alice.id}::uuid FOR UPDATE`;
    const placed = await alice.sells(1, 'AAPL');
    const marking = () => broker.db.$queryRaw<unknown[]>`
      SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
    await eventually(marking, (waiting) => waiting.length > 0, { what: 'the mark' });
    links.exchange.cut();
    return placed;
  });
  const status = async () => (await broker.db.trade.findUniqueOrThrow({ where: { id: trade.orderId } })).status;
  await eventually(status, (now) => now === 'executed', { what: 'the mark committed' });
  expect(await broker.exchange.orderOf([trade])).toEqual([]);
  await process.kill();
  await broker.exchange.fills(trade, { price: usd('10.00') });
  expect(await broker.exchange.orderOf([trade])).toEqual([trade.orderId]);
});

test('a trade filled at the exchange while its leader dies and no report comes: the next leader asks, and settles it', async () => {
  const { process } = await joined();
  const [alice] = await customersOf(process);
  if (alice === undefined) throw new Error('the worker leads for nobody');
  const trade = await alice.buys(1, 'AAPL');
  await broker.exchange.receives(trade);
  await broker.exchange.behaves({ dropRate: 1 });
  await process.kill();
  await broker.exchange.completes(trade, { price: '10.0000' });
  expect(await alice.ended(trade)).toMatchObject({ price: '10.0000' });
  await broker.exchange.behaves({ dropRate: 0 });
});
