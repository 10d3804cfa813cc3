import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppName, openIssuer } from '@stockbroker/testkit';
import { afterAll, expect, inject, onTestFinished, test } from 'vitest';
import { cloneDatabase } from '../support/database.ts';

/** What a process finds around it: a log that takes nothing. What a shell says of other servers is in tools/hostileShell. */
const ROOT = join(import.meta.dirname, '../..');
const APPS: AppName[] = ['gateway', 'worker', 'callback', 'exchange'];
const folder = mkdtempSync(join(tmpdir(), 'stockbroker-surroundings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { jwksFile } = await openIssuer(folder);
const secret = `whsec_${Buffer.alloc(32).toString('base64')}`;

const ENV: Record<AppName, Record<string, string>> = {
  gateway: { AUTH_JWKS: jwksFile, AUTH_ISSUER: 'x', EXCHANGE_API_KEY: 'x', GATEWAY_PORT: '0', GATEWAY_WEB_PORT: '0' },
  worker: { EXCHANGE_API_KEY: 'x', CALLBACK_URL: 'http://127.0.0.1:1/' },
  callback: { CALLBACK_SECRETS: secret, CALLBACK_HTTP_PORT: '0', CALLBACK_GRPC_PORT: '0' },
  exchange: {
    EXCHANGE_API_KEY: 'x',
    EXCHANGE_CALLBACK_SECRET: secret,
    EXCHANGE_PORT: '0',
    EXCHANGE_DATA_DIR: join(folder, 'exchange'),
  },
};

/** With its output on `stdout` and `stderr`. @returns where its admin port is */
async function start(app: AppName, stdout: number | 'pipe', stderr: number | 'inherit') {
  const { PATH = '' } = process.env;
  const common = { PATH, DATABASE_URL: await cloneDatabase(), NATS_URL: inject('natsUrl'), ADMIN_PORT: '0', LOG_LEVEL: 'trace' };
  const child = spawn(process.execPath, [join(ROOT, 'apps', app, 'src/main.ts')], {
    env: { ...common, ...ENV[app] },
    stdio: ['ignore', stdout, stderr, 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const started = await Promise.race([once(child, 'message'), exited.then(() => [{}])]);
  const { endpoints } = started[0] as { endpoints?: { admin: string } };
  return { child, exited, admin: endpoints?.admin ?? '' };
}

async function droppedLines(admin: string): Promise<number> {
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  return Number(/^log_lines_dropped_total\{.*\} (\d+)$/m.exec(metrics)?.[1]);
}

async function endsOrderly(child: ChildProcess, exited: Promise<unknown[]>): Promise<void> {
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
}

test.runIf(process.platform === 'linux').each(APPS)(
  '%s serves on when its log is on a full disk, and stops in order',
  async (app) => {
    const full = openSync('/dev/full', 'w');
    const { child, exited, admin } = await start(app, full, full);
    expect((await fetch(`${admin}/livez`)).status).toBe(200);
    await expect.poll(() => droppedLines(admin)).toBeGreaterThan(0);
    await endsOrderly(child, exited);
  },
);

test.each(APPS)('%s serves on when nobody reads its log any more, and stops in order', async (app) => {
  const { child, exited, admin } = await start(app, 'pipe', 'inherit');
  expect(await droppedLines(admin)).toBe(0);
  child.stdout?.destroy();
  expect((await fetch(`${admin}/livez`)).status).toBe(200);
  await endsOrderly(child, exited);
});

test.runIf(process.platform === 'linux')(
  'a wrong configuration ends a process with exit code 78 also where that cannot be said',
  () => {
    const full = openSync('/dev/full', 'w');
    const args = [join(ROOT, 'apps/gateway/src/main.ts')];
    expect(spawnSync(process.execPath, args, { env: {}, stdio: ['ignore', full, full] }).status).toBe(78);
  },
);
