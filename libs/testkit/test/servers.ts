import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { PATIENCE } from '@stockbroker/testkit/patience';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { type NatsServer, startNats } from '../src/natsServer.ts';
import { startPostgres } from '../src/postgres.ts';

export const isRoot = process.getuid?.() === 0;
/** Any account that is not root's. */
export const nobody = 65_534;

export const eventually = { timeout: 60_000 * PATIENCE, interval: 5 };

/** Reachable for every account. */
export function openFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stockbroker-servers-'));
  chmodSync(folder, 0o755);
  return folder;
}

/** Removed after the test. */
export function newFolder(): string {
  const folder = openFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function postgres(options: Parameters<typeof startPostgres>[0]) {
  const server = await startPostgres(options);
  onTestFinished(() => server.kill());
  return server;
}

export async function nats(options: Parameters<typeof startNats>[0]) {
  const server = await startNats(options);
  onTestFinished(() => server.kill());
  return server;
}

export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

export const passwordOf = (url: string) => new URL(url).password;

export async function addStream(url: string, name: string): Promise<void> {
  const client = await connect({ servers: url });
  await (await jetstreamManager(client)).streams.add({ name, subjects: [`${name}.>`] });
  await client.close();
}

export async function streams(server: NatsServer): Promise<string[]> {
  const client = await connect({ servers: server.url });
  const names = await (await jetstreamManager(client)).streams.names().next();
  await client.close();
  return names;
}

export async function occupy(port: number): Promise<void> {
  const listener = createServer();
  listener.listen(port, '127.0.0.1');
  const taken = once(listener, 'listening').catch(() => {}); // somebody else has it: taken just as well
  await taken;
  onTestFinished(() => void listener.close());
}

export async function bystander(uid: number | undefined): Promise<number> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore', ...(uid === undefined ? {} : { uid, gid: uid }) });
  onTestFinished(() => void child.kill());
  await once(child, 'spawn');
  return child.pid ?? 0;
}

/** A process of its own which runs `body`, and can say one thing. */
export function script(body: string, uid?: number) {
  const source = (name: string) => JSON.stringify(new URL(`../src/${name}`, import.meta.url).href);
  const program = `
    import pg from ${JSON.stringify(import.meta.resolve('pg'))};
    import { startPostgres } from ${source('postgres.ts')};
    import { startNats } from ${source('natsServer.ts')};
    const say = (value) => console.log(JSON.stringify(value));
    setInterval(() => {}, 1000);
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const exited = once(child, 'exit');
  const ended = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return (await exited)[0] as number | null;
  };
  onTestFinished(() => void child.kill('SIGTERM'));
  return {
    said: async (): Promise<Record<string, unknown>> => {
      const line = once(createInterface({ input: child.stdout }), 'line').then(([text]) => String(text));
      const failed = exited.then(([code]) => Promise.reject(new Error(`the script ended with ${code} and said nothing`)));
      return JSON.parse(await Promise.race([line, failed]));
    },
    kill: () => ended('SIGKILL'),
    end: () => ended('SIGTERM'),
  };
}
