import { type Broker, eventually } from '@stockbroker/testkit';
import { partitionOf, parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { withStore } from '../support/store.ts';
import { environmentOf, ops, opsTable } from './ops.ts';

let broker: Broker;
let env: Record<string, string>;
beforeAll(async () => {
  broker = await openBroker({
    workers: 3,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { worker: { LEASE_TTL_MS: '3000', SWEEP_MS: '200' }, exchange: { EXCHANGE_MANUAL: 'off' } },
  });
  await broker.exchange.behaves({ manual: false });
  env = environmentOf(broker);
  await broker.untilEven();
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

interface Leases {
  workers: { id: string; draining: boolean; partitions: number[] }[];
  partitions: { partition: number; leader: string | null; epoch: string; since: string; problem: string | null }[];
  withoutLeader: number[];
  disagreeing: number[];
}

async function leases(...args: string[]) {
  const { code, json } = await ops(env, 'leases', ...args);
  return { code, ...(json as unknown as Leases) };
}

/** All that go by that name: one that was killed is listed until its presence ends. */
const leadsOf = ({ workers }: Leases, name: string) =>
  workers.filter(({ id }) => id.startsWith(`${name}-`)).reduce((sum, { partitions }) => sum + partitions.length, 0);

test('leases: who leads what since when; all partitions are led by the three workers', async () => {
  const { code, workers, partitions, withoutLeader, disagreeing } = await leases('--patience', '20s');
  expect({ code, withoutLeader, disagreeing }).toEqual({ code: 0, withoutLeader: [], disagreeing: [] });
  expect(workers.map(({ id }) => id.slice(0, -9)).sort()).toEqual(['worker-1', 'worker-2', 'worker-3']);
  expect(workers.flatMap((worker) => worker.partitions).sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, p) => p));
  expect(partitions).toHaveLength(100);
  expect(partitions[7]).toMatchObject({
    partition: 7,
    leader: expect.any(String),
    problem: null,
    epoch: expect.stringMatching(/^[1-9]/),
  });
  const { stdout } = await opsTable(env, 'leases');
  expect(stdout).toMatch(/^worker-1-[0-9a-f]{8} +alive +\d+ /m);
  expect(stdout).toContain('100 partitions led by 3 workers, ');
});

test('leases: a lease and a fence that name different workers need attention, until the leader has noticed', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const partition = partitionOf(alice.id, 100);
  await withStore(broker, (store) => store.raiseEpoch(partition, 'an-intruder'));
  expect(await leases('--patience', '500ms')).toMatchObject({ code: 1, disagreeing: [partition], withoutLeader: [] });
  await alice.ended(await alice.buys(1, 'AAPL'));
  expect(await leases('--patience', '20s')).toMatchObject({ code: 0, disagreeing: [] });
});

test('drain: a worker leads nothing in the end, says so, and takes nothing; the last one is refused; a restart undoes it', async () => {
  const [customer] = await broker.customers(1, { cash: usd('1000.00') });
  const drained = await ops(env, 'drain', 'worker-1', '--wait');
  expect(drained).toMatchObject({
    code: 0,
    json: { state: 'draining', leads: 0, done: true, worker: expect.stringMatching(/^worker-1-/) },
  });
  const after = await leases('--patience', '20s');
  expect(after).toMatchObject({ code: 0, withoutLeader: [] });
  expect(leadsOf(after, 'worker-1')).toBe(0);
  const ready = await fetch(`${broker.worker(0).endpoints.admin}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('draining')]);

  const { id: second = '' } = after.workers.find(({ id }) => id.startsWith('worker-2-')) ?? {};
  expect((await ops(env, 'drain', second)).code).toBe(0);
  expect(await ops(env, 'drain', 'worker-3')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is the last worker that takes part'),
  });
  expect(await ops(env, 'drain', 'worker-9')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('There is no live worker "worker-9"'),
  });
  await eventually(
    () => broker.spread(),
    (counts) => counts.join() === '0,0,100',
  );
  const trade = await customer?.buys(1, 'AAPL');
  if (trade !== undefined) await customer?.ended(trade);

  await broker.worker(2).kill();
  const left = await eventually(
    () => leases('--patience', '1s'),
    ({ code }) => code === 1,
    { what: 'the end of its leases' },
  );
  expect(left).toMatchObject({ code: 1, disagreeing: [] });
  expect(left.withoutLeader.length).toBeGreaterThan(0);
  await broker.worker(0).kill();
  await broker.worker(0).start();
  const again = await leases('--patience', '30s');
  expect(again).toMatchObject({ code: 0, withoutLeader: [] });
  expect(leadsOf(again, 'worker-1')).toBe(100);
});
