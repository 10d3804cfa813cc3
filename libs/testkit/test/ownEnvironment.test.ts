import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AppProcess } from '../src/processes.ts';
import { spawnServer } from '../src/serverProcess.ts';

const FOREIGN = {
  http_proxy: 'http://127.0.0.1:9',
  PGSSLMODE: 'require',
  NODE_OPTIONS: '--no-warnings',
  NODE_EXTRA_CA_CERTS: '/nonexistent',
  DATABASE_URL: 'postgresql://elsewhere/x',
  NATS_URL: 'nats://elsewhere',
  LC_ALL: 'tr_TR.UTF-8',
  WHATEVER: 'else',
};
const ALLOWED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NODE_COMPILE_CACHE'];

function inForeignShell(): void {
  const before = { ...process.env };
  Object.assign(process.env, FOREIGN);
  onTestFinished(() => {
    for (const name of Object.keys(FOREIGN)) delete process.env[name];
    Object.assign(process.env, before);
  });
}

test('a server that we start has nothing of the shell but what any process needs', async () => {
  inForeignShell();
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const server = await spawnServer('/usr/bin/env', [], { name: 'env', stopSignal: 'SIGTERM', log });
  await server.exited;
  const names = lines.map((line) => line.slice(0, line.indexOf('=')));
  expect(names).toContain('PATH');
  expect(names.filter((name) => !ALLOWED.includes(name))).toEqual([]);
});

test('an app that we start has that, and what it is given, also when it was loaded before it was given', async () => {
  inForeignShell();
  const dir = mkdtempSync(join(tmpdir(), 'stockbroker-env-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  for (const name of ['app.ts', 'config.ts']) writeFileSync(join(dir, name), '');
  const main = join(dir, 'main.mjs');
  writeFileSync(
    main,
    "import { writeFileSync } from 'node:fs'; writeFileSync(process.env.SEEN, JSON.stringify(Object.keys(process.env)));",
  );
  for (const preload of [false, true]) {
    const SEEN = join(dir, `seen-${preload}`);
    const app = new AppProcess({
      name: 'worker-1',
      app: 'worker',
      main,
      env: { SEEN },
      logFile: join(dir, 'log'),
      restart: false,
    });
    if (preload) app.preload();
    await expect(app.start()).rejects.toThrow('exited with code');
    const names: string[] = JSON.parse(readFileSync(SEEN, 'utf8'));
    const given = ['SEEN', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE'];
    expect(names.filter((name) => !ALLOWED.includes(name) && !given.includes(name))).toEqual([]);
  }
});
