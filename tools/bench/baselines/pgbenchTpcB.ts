import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { findPgbench, type Pgbench } from '@stockbroker/testkit';
import { type BaselineRun, onOwnDatabase, withClient } from './on.ts';

export interface PgbenchTpcB {
  perSecond: number;
  averageMs: number;
  scale: number;
  clients: number;
  /** pgbench's threads. */
  threads: number;
  /** E.g. "pgbench (PostgreSQL) 15.18". */
  version: string;
}

export interface PgbenchOptions {
  /**
   * Branches, each with 100,000 accounts. A transaction updates its branch's only row and keeps the lock until its commit, so with
   * fewer branches than clients, those wait for each other's disk: pgbench's manual asks for as many at least. Twice as many
   * take 240 MB; with far more, most updates would log a whole page first, and pgbench would look slower than it is beside small tables.
   */
  scale?: number;
}

const CLIENTS = 8;
const THREADS = 2;
const STOP_CHECK_MS = 200;
const NOTHING_DONE = /transactions actually processed: 0$/m;

/** pgbench's own script like TPC-B: three updates, a select and an insert in a transaction; prepared, 8 clients. */
export async function pgbenchTpcB(on: BaselineRun, { scale = 16 }: PgbenchOptions = {}): Promise<PgbenchTpcB> {
  const pgbench = await findPgbench({ log: on.onEvent });
  return onOwnDatabase(on, 'tpcb', async (url) => {
    const run = (...args: string[]) => runPgbench(pgbench, url, args, on.isStopped);
    // The server makes the rows itself: a third of the time of sending them.
    await run('--initialize', '--init-steps=dtGvp', `--scale=${scale}`, '--quiet');
    await withClient(url, (client) => client.query('CHECKPOINT')); // What the rows have left to be written is none of the measurement.
    const version = (await run('--version')).trim();
    const load = ['--builtin=tpcb-like', '--protocol=prepared', `--client=${CLIENTS}`, `--jobs=${THREADS}`, '--no-vacuum'];
    let said = '';
    // In a second a machine that does much else may get none done.
    for (let seconds = Math.max(1, Math.round(on.seconds)); said === '' || NOTHING_DONE.test(said); seconds *= 2)
      said = await run(...load, `--time=${seconds}`);
    const read = (what: RegExp) => {
      const found = Number(what.exec(said)?.[1]);
      if (Number.isFinite(found)) return found;
      throw new Error(`pgbench has said something else than its result: ${said}`);
    };
    if (read(/number of failed transactions: (\d+)/) > 0) throw new Error(`transactions of pgbench failed: ${said}`);
    return {
      perSecond: read(/^tps = ([\d.]+)/m),
      averageMs: read(/^latency average = ([\d.]+) ms/m),
      scale,
      clients: CLIENTS,
      threads: THREADS,
      version,
    };
  });
}

/** @returns what it has printed. @throws when it failed, or was stopped */
async function runPgbench({ program, env }: Pgbench, url: string, args: string[], isStopped: () => boolean): Promise<string> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const server = { PGHOST: hostname, PGPORT: port, PGUSER: username, PGDATABASE: decodeURIComponent(pathname.slice(1)) };
  // Not as an argument, which others can see.
  const child = spawn(program, args, {
    env: { ...env, ...server, PGPASSWORD: decodeURIComponent(password) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const watch = setInterval(() => stopWhen(isStopped, child), STOP_CHECK_MS);
  try {
    const [[code, signal], said, errors] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
    if (code === 0) return said;
    throw new Error(`pgbench ended with ${code ?? signal}: ${errors.trim().split('\n').at(-1)}`);
  } finally {
    clearInterval(watch);
  }
}

function stopWhen(isStopped: () => boolean, child: ChildProcess): void {
  if (isStopped()) child.kill('SIGTERM');
}
