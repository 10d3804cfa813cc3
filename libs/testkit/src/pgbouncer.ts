import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findPgbouncer } from './findPgbouncer.ts';
import { withClient } from './postgres.ts';
import { postgresAccount } from './postgresFiles.ts';
import { spawnServer, startOnPort, untilReady } from './serverProcess.ts';

export interface PgbouncerOptions {
  /** Of the server, as its superuser; all its databases are served with this user's name and password. */
  postgresUrl: string;
  /** session, transaction or statement. */
  poolMode: string;
}

export interface PgbouncerServer {
  readonly port: number;
  stop(): Promise<void>;
}

const READY_DEADLINE_MS = 30_000;

/** Starts a PgBouncer of its own in front of a server. Like PostgreSQL it refuses to run as root, and is then run as another account. */
export async function startPgbouncer({ postgresUrl, poolMode }: PgbouncerOptions): Promise<PgbouncerServer> {
  const { program, env } = await findPgbouncer();
  const folder = mkdtempSync(join(tmpdir(), 'stockbroker-pgbouncer-'));
  chmodSync(folder, 0o755);
  // Where the account can reach it.
  const copy = join(folder, basename(program));
  cpSync(program, copy);
  const libraries = join(folder, 'lib');
  for (const path of (env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean)) cpSync(path, libraries, { recursive: true });
  const { hostname, port: serverPort, username, password } = new URL(postgresUrl);
  writeFileSync(join(folder, 'users'), `"${username}" "${password}"\n`);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    return await startOnPort('pgbouncer', undefined, async (port) => {
      const config = join(folder, `${port}.ini`);
      writeFileSync(
        config,
        `[databases]\n* = host=${hostname} port=${serverPort}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\n` +
          `auth_type = plain\nauth_file = ${join(folder, 'users')}\npool_mode = ${poolMode}\ndefault_pool_size = 20\n`,
      );
      const account = postgresAccount(folder);
      const options = {
        name: 'pgbouncer',
        stopSignal: 'SIGINT',
        account,
        env: { LD_LIBRARY_PATH: libraries },
        log: () => {},
      } as const;
      const server = await spawnServer(copy, [config], options);
      await untilReady('pgbouncer', server, READY_DEADLINE_MS, () => accepts(postgresUrl, port));
      return { port, stop: () => server.stop().then(remove) };
    });
  } catch (error) {
    remove();
    throw error;
  }
}

async function accepts(postgresUrl: string, port: number): Promise<boolean> {
  const url = new URL(postgresUrl);
  url.port = String(port);
  try {
    await withClient(url.href, (client) => client.query('SELECT 1'));
    return true;
  } catch {
    return false; // Not listening yet; when it is something else, its log says so.
  }
}
