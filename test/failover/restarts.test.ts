import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { leaseBucketName, natsLeaseStore } from '@stockbroker/lease';
import { type AppProcess, type Broker, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

/** Longer than a worker takes to start: it must see the marks of those before it. */
const TTL_MS = 3_000;
const LEASE_BUCKET = leaseBucketName('');

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({
    workers: 2,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { worker: { LEASE_TTL_MS: String(TTL_MS), SWEEP_MS: '500' }, exchange: { EXCHANGE_MANUAL: 'off' } },
  });
  await broker.exchange.behaves({ manual: false });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

async function leave(worker: AppProcess): Promise<void> {
  worker.signal('SIGTERM');
  await eventually(
    () => worker.pid,
    (pid) => pid === undefined,
    { what: `the end of ${worker.name}` },
  );
}

const identity = async () => (await broker.db.databaseIdentity.findFirstOrThrow()).id;

/** What the bucket of leases holds and what is done to it, as a worker would see it that takes part in nothing. */
async function onlooker() {
  const connection = await connect({ servers: broker.nats.url });
  onTestFinished(() => connection.close());
  const store = await natsLeaseStore({
    connection,
    bucket: LEASE_BUCKET,
    database: await identity(),
    keptMs: TTL_MS,
    replicas: 1,
  });
  const { streams } = await jetstreamManager(connection);
  const operation = async (partition: number) => {
    const last = await streams.getMessage(`KV_${LEASE_BUCKET}`, { last_by_subj: `$KV.${LEASE_BUCKET}.partition.${partition}` });
    return last?.header.get('KV-Operation');
  };
  const marks = async () => {
    const operations = await Promise.all(Array.from({ length: 100 }, (_, partition) => operation(partition)));
    return operations.filter((each) => each === 'DEL').length;
  };
  const forget = () => streams.purge(`KV_${LEASE_BUCKET}`, { filter: `$KV.${LEASE_BUCKET}.partition.>` });
  return { store, marks, forget };
}

// A key that is given up leaves a delete marker, which vanishes some time later without a word. Here the new worker sees the markers when
// it starts, and leads only after they have vanished: until then there are workers that count, and lead nothing.
test('a worker that has seen delete markers which have vanished since leads everything', async () => {
  const [first, second] = broker.system.workers;
  if (first === undefined || second === undefined) throw new Error('there are two workers');
  const alice = await broker.customer({ cash: usd('1000.00') });
  await broker.untilEven();
  const { store, marks, forget } = await onlooker();
  await Promise.all([leave(first), leave(second)]);

  const idle = Array.from({ length: 30 }, (_, i) => `idle-${i}`);
  const announce = () => Promise.all(idle.map((id) => store.put(`worker.${id}`, id)));
  await announce();
  expect(await marks()).toBe(100);
  const announcing = setInterval(() => void announce().catch(() => {}), TTL_MS / 3); // Fails when the test has failed before.
  onTestFinished(() => clearInterval(announcing));
  await first.start();
  await forget();
  expect(await marks()).toBe(0);
  clearInterval(announcing);
  await Promise.all(idle.map((id) => store.delete(`worker.${id}`)));

  const led = () => broker.db.partitionLease.count({ where: { leader: first.endpoints.worker ?? '' } });
  await eventually(led, (count) => count === 100, { what: 'a leader of every partition', deadlineMs: 20_000 });
  await alice.ended(await alice.buys(1, 'AAPL'));
  expect(await led()).toBe(100);
});
