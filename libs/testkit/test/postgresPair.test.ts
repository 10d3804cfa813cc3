import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { eventually } from '../src/eventually.ts';
import { type PostgresPair, startPostgresPair } from '../src/postgresPair.ts';
import { openFolder, query } from './servers.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let pair: PostgresPair;
const dataDir = join(openFolder(), 'pair');
beforeAll(async () => {
  pair = await startPostgresPair({ dataDir });
  await query(pair.url, 'CREATE TABLE kept (n serial PRIMARY KEY, text text)');
});
afterAll(async () => {
  await pair.kill();
  rmSync(dirname(dataDir), { recursive: true });
});

const isSynchronous = { state: 'streaming', syncState: 'sync' };

/** Writes one row after the other, each on a new connection if need be. @returns the rows whose commit was acknowledged */
function writing() {
  const acknowledged: number[] = [];
  let over = false;
  onTestFinished(() => {
    over = true;
  });
  const run = async () => {
    let client: pg.Client | undefined;
    while (!over) {
      try {
        if (client === undefined) {
          client = new pg.Client({ connectionString: pair.url, connectionTimeoutMillis: 2_000, query_timeout: 10_000 });
          client.on('error', () => {});
          await client.connect();
        }
        const { rows } = await client.query("INSERT INTO kept (text) VALUES (repeat('x', 1000)) RETURNING n");
        acknowledged.push(rows[0].n);
      } catch {
        await client?.end().catch(() => {});
        client = undefined;
      }
    }
    await client?.end();
  };
  const running = Promise.all([run(), run(), run()]);
  const more = async (count: number) => {
    const wanted = acknowledged.length + count;
    await eventually(
      () => acknowledged.length,
      (length) => length >= wanted,
      { what: `${count} more commits` },
    );
  };
  const stop = async () => {
    over = true;
    await running;
    const rows = await query(pair.url, 'SELECT n FROM kept');
    const kept = new Set(rows.map(({ n }) => n));
    return acknowledged.filter((n) => !kept.has(n));
  };
  return { more, stop };
}

test('postgres pair: a primary killed and started again is still followed', async () => {
  const writers = writing();
  await writers.more(20);
  await pair.killPrimary();
  expect((await pair.state()).primary.running).toBe(false);
  await pair.restartPrimary();
  await writers.more(20);
  expect(await writers.stop()).toEqual([]);
  expect(await pair.state()).toMatchObject({ synchronous: true, replication: isSynchronous });
});

test('postgres pair: without the standby commits wait, until it is back or given up', async () => {
  await pair.killStandby();
  let done = false;
  const insert = async () => {
    await query(pair.url, "INSERT INTO kept (text) VALUES ('waits')");
    done = true;
  };
  const isWaiting = async () => (await query(pair.url, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")).length;
  const first = insert();
  await eventually(isWaiting, (waiting) => waiting === 1);
  expect(done).toBe(false);
  await pair.startStandby();
  await first;

  await pair.killStandby();
  const second = insert();
  await eventually(isWaiting, (waiting) => waiting === 1);
  await pair.standbyLost();
  await second;
  expect((await pair.state()).synchronous).toBe(false);
  await expect(pair.failOver()).rejects.toThrow('no synchronous standby');
  await pair.startStandby();
  expect(await pair.state()).toMatchObject({ synchronous: true, replication: isSynchronous });
});

test('postgres pair: started again it has the data of its last primary', async () => {
  await pair.failOver();
  await query(pair.url, "INSERT INTO kept (text) VALUES ('after the failover')");
  const [{ count } = {}] = await query(pair.url, 'SELECT count(*)::int FROM kept');
  await pair.stop();
  pair = await startPostgresPair({ dataDir });
  expect(await query(pair.url, 'SELECT count(*)::int FROM kept')).toEqual([{ count }]);
  expect((await pair.state()).synchronous).toBe(true);
});
