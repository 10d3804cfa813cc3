import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Bus, natsAt } from '@stockbroker/bus';
import { natsLeaseStore } from '@stockbroker/lease';
import { createLog, createMetrics, SharedSettingsError } from '@stockbroker/runtime';
import { eventually, startNats } from '@stockbroker/testkit';
import type { Trade } from '@stockbroker/trading';
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest';

/** A server of this file's own, because the names are the same for all. */
const folder = mkdtempSync(join(tmpdir(), 'stockbroker-settings-'));
const nats = await startNats({ storeDir: join(folder, 'nats') });
const connection = await connect({ servers: nats.url });
const { streams, consumers } = await jetstreamManager(connection);
afterAll(async () => {
  await connection.close();
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  for await (const { config } of streams.list()) await streams.delete(config.name);
});

const NANOS_PER_MS = 1_000_000;
const keptMs = async () => (await streams.info('KV_LEASES')).config.max_age / NANOS_PER_MS;

function openLeases(over: { keptMs?: number; replicas?: number; database?: string } = {}) {
  return natsLeaseStore({ connection, bucket: 'LEASES', keptMs: 3_000, replicas: 1, database: 'ours', ...over });
}

function openBus(over: { env?: Record<string, string>; database?: string } = {}): Bus {
  const bus = new Bus({
    config: natsAt(nats.url, over.env),
    name: 'settings',
    database: over.database ?? 'ours',
    log: createLog('test', 'silent'),
    metrics: createMetrics('test'),
    fail: (error) => {
      throw error;
    },
  });
  onTestFinished(() => bus.close());
  return bus;
}

test('settings: the bucket keeps keys for the longest lifetime that any worker has, and never for less', async () => {
  await openLeases();
  expect(await keptMs()).toBe(3_000);
  await openLeases({ keptMs: 15_000 });
  expect(await keptMs()).toBe(15_000);
  await openLeases({ keptMs: 3_000 });
  expect(await keptMs()).toBe(15_000);
});

test('settings: a bucket that another worker has made anew, for a shorter lifetime, is changed before it is watched', async () => {
  const long = await openLeases({ keptMs: 15_000 });
  await streams.delete('KV_LEASES');
  await openLeases({ keptMs: 1_000 });
  expect(await keptMs()).toBe(1_000);
  const stop = new AbortController();
  const watching = (async () => {
    for await (const _ of long.watch(stop.signal)) stop.abort();
  })();
  await long.put('worker.any', 'any');
  await watching;
  expect(await keptMs()).toBe(15_000);
});

test('settings: a bucket that is changed under its workers is changed back when one announces itself', async () => {
  const store = await openLeases();
  const { config } = await streams.info('KV_LEASES');
  await streams.update('KV_LEASES', { ...config, max_age: 1_000 * NANOS_PER_MS, duplicate_window: 1_000 * NANOS_PER_MS });
  await store.put('worker.any', 'any');
  expect(await keptMs()).toBe(3_000);
});

test('settings: workers that make the bucket at once, each for another lifetime, all have one that suffices', async () => {
  const stores = await Promise.all([1_000, 5_000, 3_000, 15_000].map((keptMs) => openLeases({ keptMs })));
  await Promise.all(stores.map((store) => store.put('worker.any', 'any')));
  expect(await keptMs()).toBe(15_000);
});

test.each([
  ['the bucket of leases', () => openLeases({ replicas: 3 }), () => openLeases()],
  [
    'the stream of wake-ups',
    () => openBus({ env: { NATS_REPLICAS: '3' } }).ensured(),
    () => openBus({ env: { NATS_REPLICAS: '1' } }).ensured(),
  ],
])(
  'settings: more copies than the servers can keep are refused, of %s that is new and of one that is there',
  async (_what, more, one) => {
    const refusal =
      'NATS_REPLICAS is 3, but the NATS server is not one of a cluster and keeps 1: set NATS_REPLICAS=1, or let NATS_URL name';
    await expect(more()).rejects.toThrow(refusal);
    await one();
    await expect(more()).rejects.toThrow(refusal);
    await expect(more()).rejects.toBeInstanceOf(SharedSettingsError);
  },
);

test('settings: a stream and a bucket with other limits are changed', async () => {
  await streams.add({
    name: 'TRADES',
    subjects: ['trades.*'],
    storage: 'memory',
    retention: 'workqueue',
    max_msgs: 7,
    max_age: 0,
  });
  await streams.add({ name: 'KV_LEASES', subjects: ['$KV.LEASES.>'], max_msgs_per_subject: 5, max_age: 2_000 * NANOS_PER_MS });
  await openBus().ensured();
  await openLeases();
  expect((await streams.info('TRADES')).config).toMatchObject({ max_msgs: 500_000, max_age: 24 * 3_600_000 * NANOS_PER_MS });
  expect((await streams.info('KV_LEASES')).config).toMatchObject({ max_msgs_per_subject: 1, max_age: 3_000 * NANOS_PER_MS });
});

test('settings: a durable consumer with other settings is changed, and wake-ups come through it', async () => {
  const bus = openBus();
  await bus.ensured();
  await consumers.add('TRADES', {
    durable_name: 'partition-7',
    filter_subject: 'trades.7',
    ack_policy: 'explicit',
    max_ack_pending: 9,
  });
  const taken: string[] = [];
  const subscribed = bus.onWakeup(7, (customerId, ack) => {
    taken.push(customerId);
    ack();
  });
  bus.tradePlaced({ id: 't', customerId: 'alice', partition: 7 } as Trade);
  await eventually(
    () => taken,
    (customers) => customers.includes('alice'),
  );
  await subscribed.stop();
  expect((await consumers.info('TRADES', 'partition-7')).config.max_ack_pending).toBe(20_000);
});

test('identity: a broker with another database is refused in one sentence that says what to do, with leases expired or not', async () => {
  await openLeases({ keptMs: 1_000 });
  await openBus().ensured();
  const refusal = /is of the broker with the database ours, and this process has the database theirs: .*NATS_PREFIX/;
  await expect(openLeases({ database: 'theirs' })).rejects.toThrow(refusal);
  await expect(openBus({ database: 'theirs' }).ensured()).rejects.toThrow(refusal);
  await openLeases();
});

test('identity: a bucket and a stream of an earlier version get it, and are another broker’s from then on', async () => {
  await streams.add({ name: 'KV_LEASES', subjects: ['$KV.LEASES.>'], max_msgs_per_subject: 1, max_age: 3_000 * NANOS_PER_MS });
  await streams.add({ name: 'TRADES', subjects: ['trades.*'], storage: 'memory', retention: 'workqueue' });
  await Promise.all([openLeases(), openBus().ensured()]);
  await expect(openLeases({ database: 'theirs' })).rejects.toThrow('NATS_PREFIX');
  await expect(openBus({ database: 'theirs' }).ensured()).rejects.toThrow('NATS_PREFIX');
});

test('NATS_PREFIX: two brokers on one NATS share no name', async () => {
  const [ours, theirs] = [openBus(), openBus({ env: { NATS_PREFIX: 'paper-2' }, database: 'theirs' })];
  await Promise.all([ours.ensured(), theirs.ensured()]);
  const heard: string[] = [];
  const trade = { id: 't', customerId: 'alice', partition: 7, placedRevision: 1 } as Trade;
  const listen = (name: string, bus: Bus) => [
    bus.onSettled(7, (customer) => heard.push(`${name} settled ${customer}`)),
    bus.onCustomerChanged('alice', () => heard.push(`${name} changed`)),
    bus.onWakeup(7, (customer, ack) => {
      heard.push(`${name} woken ${customer}`);
      ack();
    }),
  ];
  const subscribed = [...listen('ours', ours), ...listen('theirs', theirs)];
  await eventually(
    () => {
      if (heard.length === 0) theirs.tradePlaced(trade);
      theirs.tradeSettled(trade);
      return new Set(heard);
    },
    (all) => all.size === 3,
  );
  await Promise.all(subscribed.map((each) => each.stop()));
  expect(new Set(heard)).toEqual(new Set(['theirs settled alice', 'theirs changed', 'theirs woken alice']));
});

test.each(['', 'a', 'Paper_2', '0-x', 'x'.repeat(32)])('NATS_PREFIX may be %j', (NATS_PREFIX) => {
  expect(natsAt('h', { NATS_PREFIX }).NATS_PREFIX).toBe(NATS_PREFIX);
});

test.each(['a.b', '>', '*', ' ', '$JS', '_INBOX', '-a', 'a b', 'ü', 'x'.repeat(33)])(
  'NATS_PREFIX may not be %j',
  (NATS_PREFIX) => {
    expect(() => natsAt('h', { NATS_PREFIX })).toThrow('must be at most 32 letters, digits, - and _');
  },
);
