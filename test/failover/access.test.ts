import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@stockbroker/store/database';
import { AppProcess, type Broker, eventually, type NatsServer, startBroker, startNats } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { closeBroker, expectExactBooks } from '../support/broker.ts';
import { cloneDatabase } from '../support/database.ts';

const RIGHT = 'authorization { user: broker, password: "p@ss" }';
const WRONG = 'authorization { user: broker, password: "changed" }';

/** NATS asks for credentials, and is changed under the broker. */
const folder = mkdtempSync(join(tmpdir(), 'stockbroker-nats-access-'));
let nats: NatsServer;
let broker: Broker;
let databaseUrl: string;
beforeAll(async () => {
  nats = await startNats({ storeDir: join(folder, 'nats'), settings: RIGHT });
  databaseUrl = await cloneDatabase();
  broker = await startBroker({
    databaseUrl,
    bundles: inject('bundles'),
    natsUrl: `nats://broker:p%40ss@127.0.0.1:${nats.port}`,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { worker: { LEASE_TTL_MS: '1500', SWEEP_MS: '500' }, exchange: {}, gateway: {}, callback: {} },
  });
  await broker.exchange.behaves({ manual: false });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(async () => {
  await closeBroker(broker);
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function missing(): Promise<Record<string, string>> {
  const ready = await fetch(`${broker.worker(0).endpoints.admin}/readyz`);
  return ((await ready.json()) as { missing: Record<string, string> }).missing;
}

async function becomes(settings: string): Promise<void> {
  await nats.stop();
  nats = await startNats({ storeDir: join(folder, 'nats'), port: nats.port, settings });
}

test('NATS refuses the credentials for a while: the worker says so, goes on trying, and leads again when they are taken', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  await alice.ended(await alice.buys(1, 'AAPL'));
  const { pid } = broker.worker(0);
  await becomes(WRONG);
  await eventually(missing, ({ nats: problem }) => problem?.includes('Authorization Violation') === true, { what: 'a refusal' });
  const waiting = await alice.buys(1, 'AAPL');
  await becomes(RIGHT);
  await alice.ended(waiting);
  await eventually(missing, (nothing) => Object.keys(nothing).length === 0, { what: 'a worker that is ready' });
  expect(broker.worker(0).pid).toBe(pid);
});

test('a worker of another broker’s database refuses to start on the same NATS, and runs there with a prefix of its own', async () => {
  const other = await cloneDatabase();
  const db = openDatabase({ url: other, poolSize: 1, statementTimeoutMs: 5_000, onConnectionError: () => {} });
  await db.databaseIdentity.updateMany({ data: { id: crypto.randomUUID() } });
  const refused = new AppProcess({
    name: 'refused',
    app: 'worker',
    main: join(inject('bundles'), 'worker.mjs'),
    env: {
      DATABASE_URL: other,
      NATS_URL: `nats://broker:p%40ss@127.0.0.1:${nats.port}`,
      EXCHANGE_API_KEY: 'any',
      CALLBACK_URL: 'http://127.0.0.1:1/',
    },
    logFile: join(folder, 'refused.log'), // Not among the broker's own, in which nothing may fail.
    restart: false,
  });
  await expect(refused.start()).rejects.toThrow(
    /is of the broker with the database .*: give one of the two brokers a NATS_PREFIX of its own/,
  );
  const worker = await broker.system.addWorker({ DATABASE_URL: other, NATS_PREFIX: 'other' });
  const led = () => db.partitionLease.count({ where: { leader: worker.endpoints.worker ?? '' } });
  await eventually(led, (count) => count === 100, { what: 'a leader of every partition of the other broker' });
  expect(await broker.db.partitionLease.count({ where: { leader: worker.endpoints.worker ?? '' } })).toBe(0);
  await worker.stop();
  await db.$disconnect();
});
