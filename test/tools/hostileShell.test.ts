import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { newDataFolder, runTool, startTool } from './tool.ts';

/** What a shell says of other servers and programs. Nobody listens on ports 9 and 10. */
const SHELL = {
  http_proxy: 'http://127.0.0.1:9',
  HTTP_PROXY: 'http://127.0.0.1:9',
  https_proxy: 'http://127.0.0.1:9',
  HTTPS_PROXY: 'http://127.0.0.1:9',
  grpc_proxy: 'http://127.0.0.1:9',
  all_proxy: 'socks5://127.0.0.1:9',
  NODE_USE_ENV_PROXY: '1',
  PGHOST: '127.0.0.1',
  PGPORT: '9',
  PGUSER: 'nobody',
  PGPASSWORD: 'wrong',
  PGDATABASE: 'elsewhere',
  PGSSLMODE: 'require',
  PGSSLROOTCERT: '/nonexistent/root.crt',
  PGOPTIONS: '-c search_path=elsewhere',
  PGSERVICE: 'elsewhere',
  PGPASSFILE: '/nonexistent/pgpass',
  PGAPPNAME: 'x'.repeat(200),
  PGTZ: 'Asia/Tokyo',
  PGDATESTYLE: 'German, DMY',
  PGCLIENTENCODING: 'LATIN1',
  PGDATA: '/nonexistent',
  LC_ALL: 'tr_TR.UTF-8',
  LANG: 'tr_TR.UTF-8',
  TZ: 'Pacific/Kiritimati',
  NODE_ENV: 'development',
  NODE_EXTRA_CA_CERTS: '/nonexistent/ca.pem',
  NATS_USER: 'nobody',
  NATS_CREDS: '/nonexistent/nats.creds',
  GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: '/nonexistent/roots.pem',
  SSL_CERT_FILE: '/nonexistent/cert.pem',
};
const eventually = { timeout: 150_000, interval: 50 };
const isReady = 'npm run trade -- buy AAPL 10';

test('start, trade, ops and demo work in a shell full of variables that are meant for others', async () => {
  const env = { ...SHELL, STOCKBROKER_DATA_DIR: newDataFolder() };
  const start = startTool('start', [], env);
  await vi.waitUntil(() => start.stdout().includes(isReady), eventually);
  const bought = await runTool('trade', ['buy', 'AAPL', '10'], env);
  expect(bought).toMatchObject({ code: 0, stdout: expect.stringContaining('filled') });
  for (const args of [['books'], ['reconcile'], ['leases', '--patience', '20s']])
    expect(await runTool('ops', args, env)).toMatchObject({ code: 0 });
  start.signal('SIGTERM');
  expect(await start.exited).toBe(0);
  const silent = await runTool('trade', ['account', '--gateway', '127.0.0.1:9', '--timeout', '1'], env);
  expect(silent).toMatchObject({ code: 1, stderr: expect.stringMatching(/does not answer: .*ECONNREFUSED/) });
  expect(silent.stderr).not.toMatch(/undefined|null/);
}, 300_000);

test('a mode of TLS that only PGSSLMODE asks for is refused, not ignored', async () => {
  const env = { PGSSLMODE: 'require', DATABASE_URL: 'postgresql://x:y@127.0.0.1:9/z' };
  expect(await runTool('db-migrate', [], env)).toEqual({
    code: 1,
    stdout: '',
    stderr: 'PGSSLMODE does not count here: say it in DATABASE_URL, with sslmode=require at its end, or unset it.\n',
  });
});

/** Runs a tool with its standard output somewhere. */
function toolTo(stdout: number | 'pipe', tool: string, args: string[], env: Record<string, string> = {}) {
  const { PATH = '', HOME = '' } = process.env;
  const bootstrap = join(import.meta.dirname, '../../tools/bootstrap.mjs');
  const child = spawn(process.execPath, [bootstrap, `tools/${tool}.ts`, ...args], {
    env: { PATH, HOME, ...env },
    stdio: ['ignore', stdout, 'pipe'],
  });
  const exited = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return { child, exited, stderr: () => stderr };
}

test.each(['ops', 'trade', 'start', 'demo', 'check', 'chaos'])(
  'npm run %s ends without a word when its reader has gone',
  async (tool) => {
    const { child, exited, stderr } = toolTo('pipe', tool, ['--help']);
    child.stdout?.destroy();
    expect([0, 141]).toContain((await exited)[0]);
    expect(stderr()).toBe('');
  },
);

const onLinux = test.runIf(process.platform === 'linux');

onLinux('a tool whose output does not fit on the disk says so', async () => {
  const { exited, stderr } = toolTo(openSync('/dev/full', 'w'), 'ops', ['--help']);
  expect((await exited)[0]).toBe(74);
  expect(stderr()).toBe('The output cannot be written: ENOSPC: no space left on device, write\n');
});

onLinux(
  'npm start serves on with its output on a full disk, starts again what ends, and leaves nothing behind',
  async () => {
    const dataDir = newDataFolder();
    const env = { STOCKBROKER_DATA_DIR: dataDir };
    const { child, exited } = toolTo(openSync('/dev/full', 'w'), 'start', [], env);
    await vi.waitUntil(() => existsSync(join(dataDir, 'connection.json')), eventually);
    expect(await runTool('trade', ['buy', 'AAPL', '1'], env)).toMatchObject({ code: 0 });
    child.kill('SIGTERM');
    expect((await exited)[0]).toBe(0);
    expect(await runTool('trade', ['account'], env)).toMatchObject({ code: 1 });
  },
  300_000,
);
