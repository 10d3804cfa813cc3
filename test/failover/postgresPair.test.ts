import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RpcError, Status } from '@stockbroker/rpc';
import { migrate } from '@stockbroker/store/migrate';
import { type Broker, type Customer, eventually, type PostgresPair, startBroker, startPostgresPair } from '@stockbroker/testkit';
import { partitionOf, parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { closeBroker, expectExactBooks } from '../support/broker.ts';
import { placeSurely } from '../support/placeSurely.ts';
import { expectAllFilledInOrder, placeQueues } from '../support/queues.ts';

let folder: string;
let pair: PostgresPair;
let broker: Broker;
let customers: Customer[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stockbroker-pair-'));
  chmodSync(folder, 0o755); // PostgreSQL may run under another account.
  pair = await startPostgresPair({ dataDir: folder });
  await migrate(pair.url, 100);
  const impatient = { STATEMENT_TIMEOUT_MS: '2000' };
  broker = await startBroker({
    bundles: inject('bundles'),
    databaseUrl: pair.url,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { worker: { ...impatient, SWEEP_MS: '500', ASK_AFTER_MS: '1000' }, gateway: impatient, callback: impatient },
  });
  customers = await broker.customers(6, { cash: usd('100000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(async () => {
  await closeBroker(broker);
  await pair.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Each customer goes on placing trades, and repeats what is in doubt. */
function trading(name: string) {
  const placed: string[] = [];
  let over = false;
  const all = customers.map(async (customer) => {
    for (let i = 0; !over; i += 1) placed.push((await placeSurely(customer, `${name}-${i}`)).orderId);
  });
  const more = (count: number) => {
    const wanted = placed.length + count;
    return eventually(
      () => placed.length,
      (length) => length >= wanted,
      { what: `${count} more trades` },
    );
  };
  const stop = async () => {
    over = true;
    await Promise.all(all);
    return placed;
  };
  return { more, stop };
}

/** Under which the customers' partitions are led; the oldest, when there are several. */
async function oldestTimeline(): Promise<string | null> {
  const partitions = customers.map(({ id }) => partitionOf(id, 100));
  const leases = await broker.db.partitionLease.findMany({ where: { partition: { in: partitions } } });
  return leases.map(({ timeline }) => timeline).toSorted()[0] ?? null;
}

test('the standby takes over under load, is replaced, and takes over again: no acknowledged trade is lost', async () => {
  await broker.exchange.whileBehaving({ manual: false }, async () => {
    const load = trading('failover');
    const timelines = new Set<string | null>();
    // What was led before a failover is begun anew after it.
    const newTimeline = async () => {
      const isNew = (timeline: string | null) => !timelines.has(timeline);
      timelines.add(await eventually(oldestTimeline, isNew, { what: 'leaderships of the new primary' }));
    };
    for (const prepare of [() => pair.pausePrimary(), () => pair.killPrimary()]) {
      await load.more(20);
      await newTimeline();
      await prepare();
      await pair.failOver();
      await load.more(20);
      await pair.rebuildStandby();
    }
    const acknowledged = await load.stop();
    await newTimeline();
    await broker.allEnded();
    const stored = await broker.db.trade.findMany({ where: { clientOrderId: { startsWith: 'failover-' } } });
    expect(stored.map(({ id }) => id).toSorted()).toEqual(acknowledged.toSorted());
  });
});

test('PostgreSQL silent, its connections open: calls answer UNAVAILABLE with RetryInfo, none hangs, and trades end when it speaks again', async () => {
  const queues = await placeQueues(broker, customers);
  const [alice] = customers;
  if (alice === undefined) throw new Error('there are no customers');
  pair.gate.stall();
  const calls = [alice.buys(1, 'AAPL', { clientOrderId: 'silence' }), alice.account(), alice.calls().listTrades({})];
  const answers = await Promise.allSettled(calls);
  for (const answer of answers) {
    const error = answer.status === 'rejected' ? answer.reason : undefined;
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: Status.UNAVAILABLE, details: { retryAfterMs: expect.any(Number) } });
  }
  pair.gate.restore();
  await placeSurely(alice, 'silence');
  await expectAllFilledInOrder(broker, queues);
});

test('connections to PostgreSQL that break again and again leave none behind', async () => {
  const pools = 2 + 3 * 5; // of the broker's three processes, and of the test itself
  for (let i = 0; i < 5; i += 1) {
    const [first] = await placeQueues(broker, customers.slice(0, 2), { sent: false });
    if (i % 2 === 0) pair.gate.stall();
    pair.gate.cut();
    pair.gate.restore();
    await eventually(
      () => broker.db.trade.count({ where: { id: first?.[0].orderId ?? '' } }).catch(() => 0),
      (count) => count === 1,
    );
  }
  const open = async () => {
    const [{ count } = { count: 0 }] = await broker.db.$queryRaw<{ count: number }[]>`
      SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'`;
    return count;
  };
  await eventually(open, (count) => count <= pools, { what: 'no more connections than the pools have' });
  expect(pair.gate.connections).toBeLessThanOrEqual(pools);
});

test('the standby away under load: no process has more connections than its pool, reads and readiness go on, and everything does when it is back', async () => {
  /** As the server counts them: the most that any process has. */
  const mostOfAProcess = async () => {
    const [{ most } = { most: 0 }] = await broker.db.$queryRaw<{ most: number }[]>`
      SELECT coalesce(max(count), 0)::int AS most FROM (
        SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'stockbroker-%' GROUP BY application_name) AS of_each`;
    return most;
  };
  const [reader] = await broker.customers(1, { cash: usd('1.00') });
  await broker.exchange.whileBehaving({ manual: false }, async () => {
    const load = trading('away');
    await load.more(20);
    await pair.killStandby();
    let most = 0;
    let refused = 0;
    const waiting = Array.from({ length: 40 }, async (_, i) => {
      const customer = customers[i % customers.length];
      // Long enough for connections to be given up and replaced several times, if they were.
      for (let attempts = 0; attempts < 4; attempts += 1) {
        await customer?.buys(1, 'AAPL', { clientOrderId: `away-too-${i}` }).catch(() => {
          refused += 1;
        });
      }
    });
    await eventually(
      async () => {
        most = Math.max(most, await mostOfAProcess());
        expect(await reader?.cash()).toEqual(usd('1.00'));
        await broker.gateway(0).untilReady();
        return refused;
      },
      (count) => count === 4 * waiting.length,
      { what: 'all given up', deadlineMs: 120_000 },
    );
    await Promise.all(waiting);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(5);
    await pair.startStandby();
    await load.more(20);
    const acknowledged = new Set(await load.stop());
    for (let i = 0; i < waiting.length; i += 1) {
      const customer = customers[i % customers.length];
      if (customer !== undefined) acknowledged.add((await placeSurely(customer, `away-too-${i}`)).orderId);
    }
    await broker.allEnded();
    const stored = await broker.db.trade.findMany({ where: { clientOrderId: { startsWith: 'away-' } } });
    expect(stored.map(({ id }) => id).toSorted()).toEqual([...acknowledged].toSorted());
  });
}, 300_000);
