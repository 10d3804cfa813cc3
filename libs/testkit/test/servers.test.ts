import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { afterAll, expect, test, vi } from 'vitest';
import { findNatsServer } from '../src/findNatsServer.ts';
import { FolderInUseError } from '../src/folderClaim.ts';
import { startNats } from '../src/natsServer.ts';
import { createDatabase, dropDatabase, startPostgres } from '../src/postgres.ts';
import { processStart } from '../src/processTable.ts';
import {
  addStream,
  bystander,
  eventually,
  isRoot,
  nats,
  newFolder,
  nobody,
  occupy,
  openFolder,
  passwordOf,
  postgres,
  query,
  script,
  streams,
} from './servers.ts';

// Room for a first download of nats-server, and for a busy machine.
vi.setConfig({ testTimeout: 300_000 });

/** Of the tests which do not care what is in it. */
const dataDir = join(openFolder(), 'data');
afterAll(() => rmSync(dirname(dataDir), { recursive: true }));

test('postgres: a second start has the data of the first, under the same password', async () => {
  const first = await postgres({ dataDir });
  await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS seven');
  await first.stop();
  const second = await postgres({ dataDir });
  expect(await query(second.url, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
  expect(passwordOf(second.url)).toBe(passwordOf(first.url));
});

test('postgres: rows committed before kill -9 are there after it, on the same port', async () => {
  const killed = await postgres({ dataDir });
  await query(killed.url, 'CREATE TABLE committed (n int); INSERT INTO committed SELECT generate_series(1, 1000)');
  await killed.kill();
  const recovered = await postgres({ dataDir, port: killed.port });
  expect(recovered.url).toBe(killed.url);
  expect(await query(recovered.url, 'SELECT count(*)::int FROM committed')).toEqual([{ count: 1000 }]);
});

test('postgres: durable by default, settings on request, closed without the password', async () => {
  const server = await postgres({ dataDir, settings: { work_mem: '7MB' } });
  const shown = async (name: string) => Object.values((await query(server.url, `SHOW ${name}`))[0] ?? {})[0];
  expect(await shown('fsync')).toBe('on');
  expect(await shown('synchronous_commit')).toBe('on');
  expect(await shown('work_mem')).toBe('7MB');
  await expect(query(server.url.replace(passwordOf(server.url), 'guessed'), 'SELECT 1')).rejects.toThrow(
    'password authentication failed',
  );
  await server.stop();

  const faulty = startPostgres({ dataDir: server.dataDir, settings: { no_such_setting: '1' } });
  await expect(faulty).rejects.toThrow(/unrecognized configuration parameter "no_such_setting"/);
});

test('postgres: databases are made, cloned from a template and dropped with connections open', async () => {
  const server = await postgres({ dataDir });
  const template = await createDatabase(server.url, 'one "odd" name');
  await query(template, 'CREATE TABLE cloned AS SELECT 1 AS one');
  const clone = await createDatabase(server.url, 'clone', { template: 'one "odd" name' });
  expect(await query(clone, 'SELECT * FROM cloned')).toEqual([{ one: 1 }]);

  const client = new pg.Client({ connectionString: clone });
  client.on('error', () => {});
  await client.connect();
  await dropDatabase(server.url, 'clone');
  await dropDatabase(server.url, 'clone');
  await expect(query(clone, 'SELECT 1')).rejects.toThrow('database "clone" does not exist');
});

test('postgres: a start killed half way leaves nothing in the way of the next', async () => {
  const folder = newFolder();
  const dataDir = join(folder, 'data');
  const starting = script(`await startPostgres(${JSON.stringify({ dataDir })})`);
  await vi.waitUntil(() => readdirSync(folder).some((name) => existsSync(join(folder, name, 'PG_VERSION'))), eventually);
  await starting.kill();

  const server = await postgres({ dataDir });
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
  expect(readdirSync(folder)).toEqual(['data']);
});

test('postgres: starts again when only its main process was killed and another one is still at work', async () => {
  const parent = script(`
    const server = await startPostgres(${JSON.stringify({ dataDir })});
    const client = new pg.Client({ connectionString: server.url });
    client.on('error', () => {});
    await client.connect();
    const [{ pid }] = (await client.query('SELECT pg_backend_pid() AS pid')).rows;
    client.query('DO $$ BEGIN FOR i IN 1..100000000 LOOP END LOOP; END $$').catch(() => {});
    say({ pid: server.pid, backend: pid });
  `);
  const { pid } = await parent.said();
  await parent.kill();
  process.kill(Number(pid), 'SIGKILL');
  const server = await postgres({ dataDir });
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a lock file that names another live process does not stop postgres', async () => {
  const first = await postgres({ dataDir });
  await first.kill();
  const lock = join(first.dataDir, 'postmaster.pid');
  const other = await bystander(isRoot ? nobody : undefined);
  writeFileSync(lock, readFileSync(lock, 'utf8').replace(/^\d+/, String(other)));
  await postgres({ dataDir });
  expect(processStart(other)).toBeDefined();
});

test('servers of a killed parent are replaced, a paused one too, and what they stored is kept', async () => {
  const folder = newFolder();
  const dataDir = join(folder, 'postgres');
  const storeDir = join(folder, 'nats');
  const parent = script(`
    const postgres = await startPostgres(${JSON.stringify({ dataDir })});
    const nats = await startNats(${JSON.stringify({ storeDir })});
    say({ postgres: postgres.pid, nats: nats.pid, natsUrl: nats.url, url: postgres.url });
  `);
  const left = await parent.said();
  await query(String(left.url), 'CREATE TABLE kept AS SELECT 7 AS seven');
  await addStream(String(left.natsUrl), 'KEPT');
  process.kill(Number(left.nats), 'SIGSTOP');
  await parent.kill();
  expect(processStart(Number(left.postgres))).toBeDefined();

  const server = await postgres({ dataDir });
  const bus = await nats({ storeDir });
  expect(processStart(Number(left.postgres))).toBeUndefined();
  expect(processStart(Number(left.nats))).toBeUndefined();
  expect(await query(server.url, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
  expect(await streams(bus)).toEqual(['KEPT']);
});

test('servers of a live process are left alone', async () => {
  const folder = newFolder();
  const bus = await nats({ storeDir: join(folder, 'nats') });
  const again = startNats({ storeDir: join(folder, 'nats') });
  await expect(again).rejects.toThrow(FolderInUseError);
  const elsewhere = script(
    `await startNats(${JSON.stringify({ storeDir: join(folder, 'nats') })}).catch((error) => say({ error: error.name }))`,
  );
  expect(await elsewhere.said()).toEqual({ error: 'FolderInUseError' });
  await addStream(bus.url, 'STILL_HERE');
});

test('servers whose parent ends without stopping them stop by themselves', async () => {
  const folder = newFolder();
  const parent = script(`
    const postgres = await startPostgres(${JSON.stringify({ dataDir: join(folder, 'postgres') })});
    const nats = await startNats(${JSON.stringify({ storeDir: join(folder, 'nats') })});
    say({ pids: [postgres.pid, nats.pid] });
    process.exit(1);
  `);
  const { pids } = await parent.said();
  for (const pid of pids as number[]) await vi.waitUntil(() => processStart(pid) === undefined, eventually);
});

test('standard ports that are taken do not matter, a taken port that was asked for is named', async () => {
  for (const port of [5432, 4222, 8222]) await occupy(port);
  const folder = newFolder();
  const server = await postgres({ dataDir: join(folder, 'postgres') });
  const bus = await nats({ storeDir: join(folder, 'nats') });
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await addStream(bus.url, 'A');

  await expect(startPostgres({ dataDir: join(folder, 'other'), port: bus.port })).rejects.toThrow(`port ${bus.port} is taken`);
  await expect(startNats({ storeDir: join(folder, 'another'), port: server.port })).rejects.toThrow(
    `port ${server.port} is taken`,
  );
});

test('nats: a wipe loses every stream and serves again on the same port', async () => {
  const bus = await nats({ storeDir: join(newFolder(), 'nats'), syncAlways: true });
  await addStream(bus.url, 'LOST');
  const before = bus.pid;
  await bus.wipe();
  expect(await streams(bus)).toEqual([]);
  expect(bus.pid).not.toBe(before);
  await addStream(bus.url, 'NEW');
  expect(await streams(bus)).toEqual(['NEW']);
});

test('nats: streams outlive kill -9, settings reach the configuration, and a paused server is silent until resumed', async () => {
  const storeDir = join(newFolder(), 'nats');
  const killed = await nats({ storeDir, syncAlways: true });
  await addStream(killed.url, 'KEPT');
  await killed.kill();

  const bus = await nats({ storeDir, port: killed.port, settings: 'mappings = { "a.*": "b.{{wildcard(1)}}" }' });
  expect(await streams(bus)).toEqual(['KEPT']);
  const client = await connect({ servers: bus.url });
  const mapped = client.subscribe('b.x', { max: 1 })[Symbol.asyncIterator]();
  client.publish('a.x');
  expect((await mapped.next()).value?.subject).toBe('b.x');

  bus.pause();
  // A signal takes effect some time after it is sent: an answer or two may still come.
  const isSilent = () => expect(fetch(`${bus.monitorUrl}/healthz`, { signal: AbortSignal.timeout(200) })).rejects.toThrow();
  await vi.waitFor(isSilent, eventually);
  let answered = false;
  const answer = client.flush().then(() => {
    answered = true;
  });
  await isSilent();
  expect(answered).toBe(false);
  bus.resume();
  await answer;
  await client.close();
});

test('nats-server: an old one on PATH is passed over, a wrong NATS_SERVER is an error that says how to install it', async () => {
  const folder = newFolder();
  const old = join(folder, 'nats-server');
  writeFileSync(old, '#!/bin/sh\necho nats-server: v2.9.10\n', { mode: 0o755 });
  const said: string[] = [];
  const usable = await findNatsServer();
  const cacheDir = join(usable, '..');
  expect(await findNatsServer({ cacheDir, env: { PATH: folder }, log: (line) => said.push(line) })).toBe(usable);
  expect(said).toEqual([`${old} is 2.9.10, too old: looking further`]);
  await expect(findNatsServer({ env: { NATS_SERVER: old } })).rejects.toThrow(
    /NATS_SERVER=.* is 2\.9\.10.*brew install nats-server/,
  );
  await expect(findNatsServer({ env: { NATS_SERVER: '/none' } })).rejects.toThrow('NATS_SERVER=/none does not run');
});

test('both start as an ordinary user', async () => {
  const folder = newFolder();
  if (isRoot) chownSync(folder, nobody, nobody);
  const started = script(
    `const server = await startPostgres(${JSON.stringify({ dataDir: join(folder, 'postgres') })});
     const nats = await startNats(${JSON.stringify({ storeDir: join(folder, 'nats'), program: await findNatsServer() })});
     say({ url: server.url, natsUrl: nats.url, uid: process.getuid() });
     process.on('SIGTERM', async () => { await nats.stop(); await server.stop(); process.exit(0); });`,
    isRoot ? nobody : undefined,
  );
  const { url, natsUrl, uid } = await started.said();
  expect(uid).not.toBe(0);
  expect(await query(String(url), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await addStream(String(natsUrl), 'A');
  expect(await started.end()).toBe(0);
  expect(readdirSync(folder).sort()).toEqual(['nats', 'postgres']);
});

test("postgres: below a folder closed to others the data are kept; root's elsewhere, until that folder is removed", async () => {
  const closed = join(newFolder(), 'closed');
  mkdirSync(closed, { mode: 0o700 });
  const dataDir = join(closed, 'data');
  const first = await postgres({ dataDir });
  expect(first.dataDir === dataDir).toBe(!isRoot);
  await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS seven');
  await first.stop();
  const second = await postgres({ dataDir });
  expect(await query(second.url, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
  await second.stop();
  if (isRoot) expect(readFileSync(join(dataDir, 'WHERE'), 'utf8').trim()).toBe(first.dataDir);

  rmSync(dataDir, { recursive: true });
  const third = await postgres({ dataDir });
  expect(third.dataDir).toBe(first.dataDir);
  await expect(query(third.url, 'SELECT seven FROM kept')).rejects.toThrow('relation "kept" does not exist');
  await third.stop();

  // In a temporary folder nobody removes the data kept elsewhere: the next start that needs such a place does.
  rmSync(closed, { recursive: true });
  mkdirSync(closed, { mode: 0o700 });
  const other = await postgres({ dataDir: join(closed, 'other') });
  expect(existsSync(first.dataDir)).toBe(false);
  await other.stop();
  rmSync(other.dataDir, { recursive: true });
});
