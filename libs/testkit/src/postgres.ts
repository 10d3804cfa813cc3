import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { canonicalPath, claimFolder } from './folderClaim.ts';
import { PATIENCE } from './patience.ts';
import { initialiseData, placeData, postgresAccount, postgresEnvironment, postgresPrograms } from './postgresFiles.ts';
import {
  type Account,
  haltTree,
  resumeTree,
  type ServerProcess,
  ServerStartError,
  spawnServer,
  startOnPort,
  stopLeftovers,
  untilReady,
} from './serverProcess.ts';

export interface PostgresOptions {
  /** Created at the first start, and kept. When root cannot have its data there, a file WHERE in it says where it is. */
  dataDir: string;
  /** Default: a free one. */
  port?: number;
  /** PostgreSQL parameters, over the ones below. */
  settings?: Record<string, string>;
  /** Fills the data folder when there is none yet, e.g. with a copy of another server's; default: initdb. */
  create?: CreateData;
  /** Takes the server's log and what is done to start it. */
  log?: Log;
}

type Log = (line: string) => void;

/** @param account that the files must belong to; undefined: this process's own */
export type CreateData = (dataDir: string, account: Account | undefined) => Promise<void>;

export interface PostgresServer {
  /** Of the database `postgres`, as its superuser. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Where the data really is. */
  readonly dataDir: string;
  /** Resolves once it is gone, for whatever reason. */
  readonly exited: Promise<void>;
  /** Ends open transactions and connections, then stops in order. */
  stop(): Promise<void>;
  /** As a power cut: the next start recovers from the write-ahead log. */
  kill(): Promise<void>;
  /** All its processes, connections open but silent, until `resume`. */
  pause(): void;
  resume(): void;
}

/** Commits stay durable (fsync and synchronous_commit are on by default): a database that may forget would prove nothing. */
const defaultSettings: Record<string, string> = { shared_buffers: '256MB', max_connections: '200', timezone: 'UTC' };

/** Includes recovery after a kill. */
const readyDeadlineMs = 30_000 * PATIENCE;

/**
 * Starts PostgreSQL from node_modules on 127.0.0.1, with the data of an earlier start if there is any. A server left on that
 * data by a killed process is stopped first; one of a live process is not touched (FolderInUseError).
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const log = options.log ?? (() => {});
  const requested = canonicalPath(resolve(options.dataDir));
  const release = claimFolder(requested);
  try {
    const account = postgresAccount(requested);
    const programs = await postgresPrograms(account, log);
    const dataDir = placeData(requested, account, log);
    const program = ['-D', dataDir, '-c', 'listen_addresses=127.0.0.1'];
    const leftovers = await stopLeftovers('postgres', program, 'SIGINT');
    if (leftovers.length > 0) log(`stopped a server that an earlier run left behind (process ${leftovers.join(', ')})`);
    if (options.create !== undefined && !existsSync(dataDir)) await options.create(dataDir, account);
    const password = await initialiseData(dataDir, programs, account, log);
    takeOverLock(dataDir);

    return await startOnPort('PostgreSQL', options.port, async (port) => {
      const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
      const args = [...program, ...settingArgs({ ...defaultSettings, ...options.settings, port: String(port) })];
      const server = await launch(programs.postgres, args, url, account, log);
      const gone = server.exited.then(release);
      return {
        url,
        port,
        pid: server.pid,
        dataDir,
        exited: gone,
        stop: () => server.stop().then(() => gone),
        kill: () => server.kill().then(() => gone),
        pause: () => void haltTree(server.pid),
        resume: () => resumeTree(server.pid),
      };
    });
  } catch (error) {
    release();
    throw error;
  }
}

async function launch(
  postgres: string,
  args: string[],
  url: string,
  account: Account | undefined,
  log: Log,
): Promise<ServerProcess> {
  // SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients to leave.
  const spawnOptions = { name: 'PostgreSQL', stopSignal: 'SIGINT', account, env: postgresEnvironment, log } as const;
  const giveUpAt = Date.now() + readyDeadlineMs;
  for (;;) {
    const server = await spawnServer(postgres, args, spawnOptions);
    try {
      await untilReady('PostgreSQL', server, readyDeadlineMs, () => accepts(url));
      return server;
    } catch (error) {
      // When only the main process was killed, the others notice it within moments, and it cannot start before they are gone.
      const othersAlive = error instanceof ServerStartError && error.lastLines.includes('pre-existing shared memory block');
      if (!othersAlive || Date.now() > giveUpAt) throw error;
      await delay(100);
    }
  }
}

/**
 * PostgreSQL refuses to start while the process that its lock file names exists, even when that is a zombie, or, after a reboot or in a
 * restarted container, another program with the same id. Called when no PostgreSQL runs on this data: the lock then gets this
 * process's id, because PostgreSQL ignores its parent's. The file stays, since it also shows whether processes of a dead server
 * still work on the data.
 */
function takeOverLock(dataDir: string): void {
  const lock = join(dataDir, 'postmaster.pid');
  if (existsSync(lock)) writeFileSync(lock, readFileSync(lock, 'utf8').replace(/^-?\d+/, String(process.pid)));
}

function settingArgs(settings: Record<string, string>): string[] {
  // No Unix socket: its path may be too long, and 127.0.0.1 serves everything.
  return Object.entries({ ...settings, unix_socket_directories: '' }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function accepts(url: string): Promise<boolean> {
  try {
    await withClient(url, (client) => client.query('SELECT 1'));
    return true;
  } catch {
    return false; // not listening yet, or still recovering; when it is something else, its log says so
  }
}

/** Returns the new database's URL. A template must have no open connection. */
export async function createDatabase(adminUrl: string, name: string, options: { template?: string } = {}): Promise<string> {
  const template = options.template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(options.template)}`;
  await withClient(adminUrl, (client) => client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}${template}`));
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

/** Ends open connections to it. A database that does not exist is fine. */
export async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  await withClient(adminUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`));
}

/** Also for a server that has just been started on a machine that does much else. */
const CONNECT_TIMEOUT_MS = 30_000 * PATIENCE;

/** Runs queries over a connection of their own. */
export async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => {}); // a connection lost between two queries; the next query tells
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end().catch(() => {}); // already broken, which the query has reported
  }
}
