import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresServer, startPostgres } from '@stockbroker/testkit';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { batchedStatements } from '../../tools/bench/baselines/batchedStatements.ts';
import { commitFloor } from '../../tools/bench/baselines/commitFloor.ts';
import { echoFloor } from '../../tools/bench/baselines/echoFloor.ts';
import type { BaselineRun } from '../../tools/bench/baselines/on.ts';
import { pgbenchTpcB } from '../../tools/bench/baselines/pgbenchTpcB.ts';
import { publishFloor } from '../../tools/bench/baselines/publishFloor.ts';
import { straightforwardBroker } from '../../tools/bench/baselines/straightforwardBroker.ts';
import { webThroughput } from '../../tools/bench/baselines/webThroughput.ts';

const folder = mkdtempSync(join(tmpdir(), 'stockbroker-baselines-'));
chmodSync(folder, 0o755); // PostgreSQL may run under another account than root.
let postgres: PostgresServer;
let on: BaselineRun;

beforeAll(async () => {
  // The server that all test files share need not wait for its disk: its commits are no measure.
  postgres = await startPostgres({ dataDir: join(folder, 'postgres') });
  const isStopped = () => false;
  on = { databaseUrl: postgres.url, natsUrl: inject('natsUrl'), folder, seconds: 0.4, isStopped, onEvent: () => {} };
}, 60_000);

afterAll(async () => {
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const floor = {
  ms: expect.objectContaining({ p50: expect.toSatisfy(isPositive) }),
  quietMs: expect.objectContaining({ p50: expect.toSatisfy(isPositive) }),
};

function isPositive(value: number): boolean {
  return value > 0;
}

test('floors: a commit, an echo and a publish take some time, however little', async () => {
  expect(await commitFloor(on)).toEqual({ one: floor, three: floor });
  expect(await echoFloor(on)).toEqual(floor);
  expect(await publishFloor(on)).toEqual(floor);
});

test('floors: commits that may be forgotten are refused', async () => {
  await expect(commitFloor({ ...on, databaseUrl: inject('postgresUrl') })).rejects.toThrow('fsync is off');
});

test('pgbench: its script runs with eight clients', async () => {
  const { perSecond, clients, scale } = await pgbenchTpcB(on, { scale: 1 });
  expect(perSecond).toBeGreaterThan(0);
  expect({ clients, scale }).toEqual({ clients: 8, scale: 1 });
});

test('web throughput: the three servers answer with the same account', async () => {
  const some = { perSecond: expect.toSatisfy(isPositive), serverCpuMs: expect.toSatisfy(isPositive) };
  expect(await webThroughput(on)).toEqual({ gatewayWeb: some, gatewayGrpc: some, connectWeb: some });
});

test('the straightforward broker fills trades one at a time, and the books are exact', async () => {
  const { perSecond, clients, tried } = await straightforwardBroker(on, { customers: 20, clients: [1, 3] });
  expect(perSecond).toBeGreaterThan(0);
  expect(tried.map((each) => each.clients)).toEqual([1, 3]);
  expect([1, 3]).toContain(clients);
});

test('the batched statements fill trades many at a time, and the books are exact', async () => {
  const batches = [
    { rows: 8, atOnce: 1 },
    { rows: 4, atOnce: 3 },
  ];
  const found = await batchedStatements(on, { customers: 20, batches });
  expect(found.perSecond).toBeGreaterThan(0);
  expect(found.tried.map((each) => each.batches)).toEqual(batches);
});

test('a run that is stopped ends with what there is, and no database is left', async () => {
  const stopped = { ...on, seconds: 3_600, isStopped: () => true };
  const { tried } = await straightforwardBroker(stopped, { customers: 10, clients: [1, 2] });
  expect(tried).toHaveLength(1);
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  const { rows } = await client.query("SELECT datname FROM pg_database WHERE datname LIKE 'bench%'");
  await client.end();
  expect(rows).toEqual([]);
});
