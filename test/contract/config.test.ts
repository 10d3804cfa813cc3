import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppName, AppProcess, createDatabase, openIssuer } from '@stockbroker/testkit';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { afterAll, expect, inject, test } from 'vitest';
import { cloneDatabase } from '../support/database.ts';

const ROOT = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'stockbroker-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { jwksFile } = await openIssuer(folder);

const APPS: AppName[] = ['gateway', 'worker', 'callback', 'exchange'];

function run(app: AppName, env: Record<string, string>, ...args: string[]) {
  const main = join(ROOT, 'apps', app, 'src/main.ts');
  return spawnSync(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
    timeout: 60_000 * PATIENCE,
  });
}

const SECRET = 'do-not-print-me';

test.each<[AppName, Record<string, string>, string[]]>([
  [
    'gateway',
    {
      DATABASE_URL: `mysql://${SECRET}@host/db`,
      DATABASE_POOL: 'many',
      GATEWAY_PORT: '65536',
      PARTITIONS: '0',
      LOG_LEVEL: 'loud',
      AUTH_ALGORITHMS: 'EdDSA,HS256',
    },
    [
      'DATABASE_URL',
      'DATABASE_POOL',
      'GATEWAY_PORT',
      'PARTITIONS',
      'LOG_LEVEL',
      'EXCHANGE_API_KEY',
      'AUTH_ALGORITHMS',
      'AUTH_ISSUER',
    ],
  ],
  [
    'worker',
    { DATABASE_URL: SECRET, CALLBACK_URL: 'ftp://host', CLUSTER_SIZE: '4', LEASE_TTL_MS: '1', MARKET_HOURS: 'sometimes' },
    ['DATABASE_URL', 'CALLBACK_URL', 'CLUSTER_SIZE', 'LEASE_TTL_MS', 'MARKET_HOURS', 'EXCHANGE_API_KEY'],
  ],
  [
    'callback',
    { CALLBACK_SECRETS: SECRET, CALLBACK_MAX_BYTES: '1e3', DRAIN_TIMEOUT_MS: '' },
    ['CALLBACK_SECRETS', 'CALLBACK_MAX_BYTES', 'DRAIN_TIMEOUT_MS', 'DATABASE_URL'],
  ],
  [
    'exchange',
    { EXCHANGE_CALLBACK_SECRET: SECRET, EXCHANGE_REJECT_RATE: '1.5', EXCHANGE_MANUAL: 'yes' },
    ['EXCHANGE_CALLBACK_SECRET', 'EXCHANGE_REJECT_RATE', 'EXCHANGE_MANUAL', 'EXCHANGE_API_KEY'],
  ],
])('%s: a wrong environment ends it with exit code 78 and every problem at once, no secret among them', (app, env, problems) => {
  const { status, stderr, stdout } = run(app, env);
  expect(status).toBe(78);
  const named = [...stderr.matchAll(/^ {2}- (\w+)/gm)].map(([, name]) => name ?? '');
  expect(named.toSorted()).toEqual(problems.toSorted());
  expect(stderr).toContain(`${app}: the configuration has ${problems.length} problem(s):`);
  expect(stderr + stdout).not.toContain(SECRET);
});

test.each(APPS)('%s --help lists every variable and needs none', (app) => {
  const { status, stdout } = run(app, {}, '--help');
  expect(status).toBe(0);
  expect(stdout).toMatch(/\| `LOG_LEVEL` \| `info` \|/);
});

const ENV: Record<'gateway' | 'worker' | 'callback', Record<string, string>> = {
  gateway: { AUTH_JWKS: jwksFile, AUTH_ISSUER: 'x', EXCHANGE_API_KEY: 'x', GATEWAY_PORT: '0' },
  worker: { EXCHANGE_API_KEY: 'x', CALLBACK_URL: 'http://127.0.0.1:1/' },
  callback: {
    CALLBACK_SECRETS: `whsec_${Buffer.alloc(32).toString('base64')}`,
    CALLBACK_HTTP_PORT: '0',
    CALLBACK_GRPC_PORT: '0',
  },
};

async function start(app: keyof typeof ENV, env: Record<string, string>): Promise<void> {
  const all = { ...ENV[app], NATS_URL: inject('natsUrl'), ...env };
  const started = new AppProcess({ name: app, app, env: all, logFile: join(folder, `${app}.log`), restart: false });
  try {
    await started.start();
  } finally {
    await started.stop();
  }
}

test.each(['gateway', 'worker', 'callback'] as const)('%s refuses a database with another number of partitions', async (app) => {
  const DATABASE_URL = await cloneDatabase();
  const refusal = 'PARTITIONS is 50, but the database was created with 100: set PARTITIONS=100';
  await expect(start(app, { DATABASE_URL, PARTITIONS: '50' })).rejects.toThrow(refusal);
});

test('a process refuses a database that was not migrated, and says what to do', async () => {
  const DATABASE_URL = await createDatabase(inject('postgresUrl'), `empty-${crypto.randomUUID()}`);
  await expect(start('callback', { DATABASE_URL })).rejects.toThrow('it has no partitions yet: run npm run db:migrate');
});
