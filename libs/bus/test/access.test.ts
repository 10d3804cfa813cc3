import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog, createMetrics } from '@stockbroker/runtime';
import { eventually, type NatsServer, startNats } from '@stockbroker/testkit';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { Bus, connectNats, natsAt } from '../src/index.ts';
import { parseNatsUrls } from '../src/natsUrls.ts';

const folder = mkdtempSync(join(tmpdir(), 'stockbroker-access-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let servers = 0;
async function serverWith(settings: string, at: { port?: number; storeDir?: string } = {}): Promise<NatsServer> {
  servers += 1;
  const nats = await startNats({
    storeDir: at.storeDir ?? join(folder, String(servers)),
    settings,
    ...(at.port ? { port: at.port } : {}),
  });
  onTestFinished(() => nats.stop());
  return nats;
}

const USER = 'authorization { user: "a b", password: "p@ss:w/rd%" }';

test.each([
  ['user and password', USER, (host: string) => `nats://a%20b:p%40ss%3Aw%2Frd%25@${host}`],
  ['a token', 'authorization { token: "s3cr@t" }', (host: string) => `nats://s3cr%40t@${host}`],
])('NATS_URL: %s are used as the URL has them, percent-encoded', async (_what, settings, url) => {
  const nats = await serverWith(settings);
  const connection = await connectNats(natsAt(url(`127.0.0.1:${nats.port}`)), 'test');
  await connection.flush();
  await connection.close();
});

test('NATS_URL: several servers share the credentials of one of them', () => {
  expect(parseNatsUrls('nats://u:p@a:1, b:2,tls://u:p@[::1]:3')).toEqual({
    servers: ['nats://a:1', 'nats://b:2', 'tls://[::1]:3'],
    login: { user: 'u', pass: 'p' },
    demandsTls: true,
  });
});

test.each(['http://h', 'nats://', '', 'nats://u:p@a,nats://u:q@b', 'nats://u:%zz@a', ','])(
  'NATS_URL: %j is refused without being shown',
  (url) => {
    const refused = () => natsAt(url);
    expect(refused).toThrow(/NATS_URL must .*but is \(secret\)/);
  },
);

test('refused credentials: it goes on trying, says what is refused, and is there again when they are taken', async () => {
  const first = await serverWith(USER);
  const { port } = first;
  const storeDir = join(folder, String(servers));
  const failures: Error[] = [];
  const bus = new Bus({
    config: natsAt(`nats://a%20b:p%40ss%3Aw%2Frd%25@127.0.0.1:${port}`),
    name: 'test',
    database: 'ours',
    log: createLog('test', 'silent'),
    metrics: createMetrics('test'),
    fail: (error) => failures.push(error),
  });
  onTestFinished(() => bus.close());
  await bus.ensured();
  expect(bus.problem()).toBeUndefined();
  const connection = await bus.connection;
  await first.stop();

  const other = await serverWith('authorization { user: x, password: y }', { port, storeDir });
  let refusals = 0;
  void (async () => {
    for await (const status of connection.status()) if (status.type === 'error') refusals += 1;
  })();
  await eventually(
    () => bus.problem(),
    (problem) => problem?.includes('Authorization Violation') === true,
    { what: 'a refusal' },
  );
  await eventually(
    () => refusals,
    (count) => count > 3, // The client by itself gives up after two.
    { what: 'more refusals' },
  );
  await other.stop();
  await serverWith(USER, { port, storeDir });
  await eventually(
    () => bus.problem(),
    (problem) => problem === undefined,
    { what: 'a connection' },
  );
  expect(failures).toEqual([]);
});

test('credentials that are refused at the first connection are told, and tried again', async () => {
  const nats = await serverWith(USER);
  const problems: unknown[] = [];
  void connectNats(natsAt(`nats://wrong:wrong@127.0.0.1:${nats.port}`), 'test', (error) => problems.push(error));
  await eventually(
    () => problems.length,
    (count) => count > 2,
  );
  expect(String(problems[0])).toContain('Authorization Violation');
  expect(String(problems[0])).not.toContain('wrong:');
});

test('a connection that ends unasked fails the process; one that is closed does not', async () => {
  const nats = await serverWith('');
  const failures: Error[] = [];
  const open = () =>
    new Bus({
      config: natsAt(nats.url),
      name: 'test',
      database: 'ours',
      log: createLog('test', 'silent'),
      metrics: createMetrics('test'),
      fail: (error) => failures.push(error),
    });
  const closed = open();
  await closed.ensured();
  await closed.close();
  const ended = open();
  await (await ended.connection).close();
  await eventually(
    () => failures.length,
    (count) => count > 0,
  );
  expect(failures.map(({ message }) => message)).toEqual(['The NATS client has given up: only a restart connects again.']);
  expect([ended.isConnected, ended.problem()]).toEqual([false, 'the connection has ended for good']);
});
