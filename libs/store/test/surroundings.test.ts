import { randomUUID } from 'node:crypto';
import { type AddressInfo, connect, createServer } from 'node:net';
import { createMetrics, startProbe } from '@stockbroker/runtime';
import pg from 'pg';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { connectionSettings, type Settings, UnfitDatabaseError } from '../src/connectionSettings.ts';
import { BY_INDEX, createStore, type Store } from '../src/createStore.ts';
import { openDatabase } from '../src/database.ts';
import { fitConnection, refuseSharedSessions } from '../src/fitConnection.ts';
import { DEFAULT_LOCK_TIMEOUT_MS, openPool } from '../src/pool.ts';
import { fill, openBank, order } from './bank.ts';

const { url, db, opens, leads } = await openBank();
const database = pg.escapeIdentifier(new URL(url).pathname.slice(1));
const WANTED: Settings = connectionSettings({ statementTimeoutMs: 5_000, lockTimeoutMs: DEFAULT_LOCK_TIMEOUT_MS }, BY_INDEX);

/** What a database or a role may be set to, for each setting that a connection must have. */
const HOSTILE: Settings = {
  client_encoding: 'LATIN1',
  DateStyle: 'German, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kathmandu',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  standard_conforming_strings: 'off',
  array_nulls: 'off',
  transform_null_equals: 'on',
  search_path: 'nowhere',
  row_security: 'on',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  exit_on_error: 'on',
  idle_session_timeout: '30000', // Less could end a connection before it is set.
  transaction_timeout: '1000',
  idle_in_transaction_session_timeout: '1',
  statement_timeout: '100',
  lock_timeout: '100',
  enable_seqscan: 'on',
  plan_cache_mode: 'force_custom_plan',
  jit: 'on',
  enable_indexscan: 'off',
  enable_indexonlyscan: 'off',
  enable_bitmapscan: 'off',
  enable_nestloop: 'off',
  enable_sort: 'off',
  max_parallel_workers_per_gather: '8',
  synchronous_commit: 'off',
};

afterEach(() => db.$executeRawUnsafe(`ALTER DATABASE ${database} RESET ALL`));

const setDatabase = (name: string, value: string) =>
  db.$executeRawUnsafe(`ALTER DATABASE ${database} SET ${name} TO ${name === 'search_path' ? value : pg.escapeLiteral(value)}`);

function openStore(at = url): Store {
  const limits = { poolSize: 2, statementTimeoutMs: 5_000, maxBatch: 256, maxQueue: 1_000 };
  const store = createStore({ url: at, ...limits, onConnectionError: () => {} }, createMetrics('test'));
  onTestFinished(() => store.close());
  return store;
}

/** A trade's whole life. */
async function trades(store: Store, customerId: string): Promise<void> {
  const beganAt = Date.now() - 60_000;
  const placed = await store.insertTrade(order(customerId));
  if (placed.kind !== 'inserted') throw new Error(placed.kind);
  expect(placed.trade.createdAt.getTime()).toBeGreaterThan(beganAt);
  const { partition } = placed.trade;
  const epoch = (await leads(partition)).get(partition) ?? 0n;
  const marked = await store.markExecuted({ trade: placed.trade, epoch, decision: { limitPrice: 100n } });
  expect(marked.kind).toBe('marked');
  expect(await store.settleTrade(fill(placed.trade, 100n))).toMatchObject({ trade: { status: 'filled' }, overdrawn: false });
  const [listed] = (await store.listTrades({ customerId, partition, before: null, statuses: [], limit: 1 })).trades;
  expect(listed?.executedAt).toEqual(new Date(1_700_000_000_000));
  await store.quarantineCallback({ tradeId: null, why: randomUUID(), raw: Buffer.from('\\x\0') });
  await store.probe();
}

test('each setting that a connection must have is tried', () => {
  const { tcp_keepalives_idle, tcp_keepalives_interval, tcp_keepalives_count, ...demanded } = WANTED;
  expect(Object.keys(HOSTILE).toSorted()).toEqual([...Object.keys(demanded), 'synchronous_commit'].toSorted());
});

test.each(Object.entries(HOSTILE))('a database that is set to %s = %s is traded on as on any other', async (name, value) => {
  await setDatabase(name, value);
  await trades(openStore(), await opens());
  const pool = openPool({ url, poolSize: 1, statementTimeoutMs: 5_000, settings: BY_INDEX, onConnectionError: () => {} });
  onTestFinished(() => pool.end());
  const { rows } = await pool.query<{ setting: string }>('SELECT setting FROM pg_settings WHERE name = $1', [name]);
  expect(rows).toEqual([{ setting: WANTED[name] ?? 'on' }]);
});

test('a role that is set to all of them at once, too; and so is the client that tools have', async () => {
  const role = `hostile-${randomUUID()}`;
  const name = pg.escapeIdentifier(role);
  await db.$executeRawUnsafe(`CREATE ROLE ${name} LOGIN SUPERUSER PASSWORD 'x'`);
  onTestFinished(async () => void (await db.$executeRawUnsafe(`DROP ROLE ${name}`)));
  for (const [setting, value] of Object.entries(HOSTILE))
    await db.$executeRawUnsafe(
      `ALTER ROLE ${name} SET ${setting} TO ${setting === 'search_path' ? value : pg.escapeLiteral(value)}`,
    );
  const at = new URL(url);
  at.username = role;
  at.password = 'x';
  const customerId = await opens();
  await trades(openStore(at.href), customerId);
  const tools = openDatabase({ url: at.href, poolSize: 1, statementTimeoutMs: 5_000, onConnectionError: () => {} });
  try {
    expect((await tools.trade.findFirstOrThrow({ where: { customerId } })).executedAt).toEqual(new Date(1_700_000_000_000));
    const [shown] = await tools.$queryRaw<{ commit: string }[]>`SELECT current_setting('synchronous_commit') AS commit`;
    expect(shown?.commit).toBe('on');
  } finally {
    await tools.$disconnect();
  }
});

test('what cannot be set for oneself is refused in a sentence: triggers that are switched off', async () => {
  await setDatabase('session_replication_role', 'replica');
  await expect(openStore().checkPartitions(100)).rejects.toThrow(
    'a connection must have session_replication_role "origin", but has "replica": undo what sets it',
  );
});

test('a commit that waits for more than the disk stays so', async () => {
  await setDatabase('synchronous_commit', 'remote_apply');
  const pool = openPool({ url, poolSize: 1, statementTimeoutMs: 5_000, onConnectionError: () => {} });
  onTestFinished(() => pool.end());
  expect((await pool.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'remote_apply' }]);
});

test('a server that may lose data in a crash is told of once', async () => {
  const warnings: string[] = [];
  const onWarning = (sentence: string) => warnings.push(sentence);
  const pool = openPool({ url, poolSize: 2, statementTimeoutMs: 5_000, onConnectionError: () => {}, onWarning });
  onTestFinished(() => pool.end());
  await Promise.all([pool.query('SELECT pg_sleep(0.1)'), pool.query('SELECT pg_sleep(0.1)')]);
  expect(warnings.map((each) => each.split(':')[0])).toEqual([
    'the server runs with fsync off',
    'the server runs with full_page_writes off',
  ]);
});

test('two connections over one session are refused', async () => {
  const [one, other] = [new pg.Client(url), new pg.Client(url)];
  await Promise.all([one.connect(), other.connect()]);
  onTestFinished(async () => void (await Promise.all([one.end(), other.end()])));
  const mark = await fitConnection(one, WANTED);
  await refuseSharedSessions(one, mark, other);
  await expect(refuseSharedSessions(one, mark, one)).rejects.toBeInstanceOf(UnfitDatabaseError);
});

test('a database that only reads: the probe says so, reading goes on, and the probe sees that it ends', async () => {
  const store = openStore();
  await store.probe();
  await setDatabase('default_transaction_read_only', 'on');
  const readOnly = openStore();
  const customerId = await opens().catch(() => undefined);
  await expect(readOnly.probe()).rejects.toThrow('the database only reads: default_transaction_read_only is on');
  expect(await readOnly.readAccount(customerId ?? randomUUID())).toBeDefined();
  await db.$executeRawUnsafe(`ALTER DATABASE ${database} RESET default_transaction_read_only`);
  await expect.poll(() => readOnly.probe().then(() => 'ready', String)).toBe('ready');
});

test('a disk that is full: the probe says so', async () => {
  const customerId = await opens();
  const store = openStore();
  await store.probe();
  await db.$executeRawUnsafe(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`);
  await db.$executeRawUnsafe('CREATE TRIGGER full_disk BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION full_disk()');
  onTestFinished(async () => void (await db.$executeRawUnsafe('DROP TRIGGER full_disk ON trades')));
  await expect(store.insertTrade(order(customerId))).rejects.toThrow();
  await expect(store.probe()).rejects.toThrow(
    'could not write less than 10 s ago: could not extend file: No space left on device',
  );
});

test('a server that goes silent while it is told what connections need holds up the pool no longer than that', async () => {
  const { port, hostname } = new URL(url);
  let connections = 0;
  const proxy = createServer((client) => {
    connections += 1;
    const isSilent = connections === 2; // The one beside the first.
    const server = connect(Number(port), hostname);
    // 'Q': a simple query, of a connection that stands.
    client.on('data', (bytes: Buffer) => void (isSilent && bytes[0] === 0x51 ? bytes : server.write(bytes)));
    server.pipe(client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const)
      one.on('close', () => other.destroy()).on('error', () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void proxy.close());
  const at = new URL(url);
  at.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const pool = openPool({ url: at.href, poolSize: 2, statementTimeoutMs: 5_000, queryTimeoutMs: 0, onConnectionError: () => {} });
  onTestFinished(() => pool.end());
  await expect(pool.query('SELECT 1')).rejects.toThrow('timeout');
  expect((await pool.query('SELECT 1')).rowCount).toBe(1);
});

test('a probe of a server that refuses connections says the server’s own reason', async () => {
  const refused = new URL(url);
  refused.password = 'wrong';
  const probe = startProbe(openStore(refused.href).probe, 10);
  onTestFinished(() => probe.stop());
  await vi.waitUntil(() => probe.problem() !== 'not asked yet', { timeout: 60_000 });
  expect(probe.problem()).toBe(
    'the database cannot be reached or did not answer in time: password authentication failed for user "postgres"',
  );
});
