import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { type Broker, type Customer, eventually, type NatsCluster, startNatsCluster } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { expectAllFilledInOrder, placeQueues } from '../support/queues.ts';

let folder: string;
let nats: NatsCluster;
let broker: Broker;
let customers: Customer[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stockbroker-nats-'));
  nats = await startNatsCluster({ dir: folder });
  const copies = { NATS_REPLICAS: '3' };
  broker = await openBroker({
    natsUrl: nats.urls,
    workers: 2,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { gateway: copies, callback: copies, worker: { ...copies, SWEEP_MS: '500', ASK_AFTER_MS: '1000' } },
  });
  customers = await broker.customers(6, { cash: usd('10000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(async () => {
  await closeBroker(broker);
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function streams() {
  const client = await connect({ servers: nats.urls.split(',') });
  try {
    return await Array.fromAsync((await jetstreamManager(client)).streams.list());
  } finally {
    await client.close();
  }
}

test('wake-ups and leases have three copies', async () => {
  const copies = (await streams()).map(({ config }) => [config.name, config.num_replicas]);
  expect(copies.toSorted()).toEqual([
    ['KV_LEASES', 3],
    ['TRADES', 3],
  ]);
});

test.each([0, 1, 2])(
  'server %d of three killed, whatever it leads: trades go on without it, and it comes back with an empty store',
  async (number) => {
    const node = nats.nodes[number];
    const queues = await placeQueues(broker, customers);
    await node?.kill();
    await expectAllFilledInOrder(broker, queues);
    const without = await placeQueues(broker, customers, { sent: false });
    await expectAllFilledInOrder(broker, without);
    await node?.wipe();
    await nats.untilHealthy();
  },
);

test('all servers lose their stores at once: streams, consumers and leases are made again, and every trade ends', async () => {
  const queues = await placeQueues(broker, customers);
  await nats.wipeAll();
  await expectAllFilledInOrder(broker, queues);
  // Made by whoever notices, which may be after the trades have ended: they need no NATS.
  const copies = async () => (await streams()).map(({ config }) => config.num_replicas);
  expect(await eventually(copies, (found) => found.length === 2, { what: 'streams' })).toEqual([3, 3]);
});
