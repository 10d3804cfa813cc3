import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpeningAccount } from '@stockbroker/store';
import {
  AppFailedError,
  type AppProcess,
  createSystem,
  type Gate,
  NO_CALL_LIMITS,
  openGate,
  type System,
  withLogin,
} from '@stockbroker/testkit/processes';
import { migrateDatabase, openDemoAccounts } from '../prepareServers.ts';
import { openHoarder } from './hoarder.ts';
import { untilSettled } from './natsFaults.ts';
import { DATABASE_POOL, LOGIN, PARTITIONS, type Servers, startServers } from './servers.ts';
import { Simulator } from './simulator.ts';

const SIZE = { gateways: 2, callbacks: 2 };
const WORKERS = 3;
const START_AGAIN_MS = 200;
/** Faults that keep a worker from starting last up to a minute each, and follow each other. */
const START_DEADLINE_MS = 180_000;

/** Shorter than by default where only waiting would be proven. Leases, sweeps and time-outs are those of production. */
const ENV = {
  exchange: { EXCHANGE_CALLBACK_BACKOFF_MAX_MS: '1000' },
  callback: { DATABASE_POOL: String(DATABASE_POOL) },
  gateway: { DATABASE_POOL: String(DATABASE_POOL), ...NO_CALL_LIMITS },
  worker: { DATABASE_POOL: String(DATABASE_POOL), ASK_AFTER_MS: '1000', EXCHANGE_TIMEOUT_MS: '2000' },
};

/** What lies between one worker and the world. */
export interface Links {
  nats: Gate;
  postgres: Gate;
  exchange: Gate;
}

/** What is odd about a worker. */
export interface WorkerStart {
  /** How far its wall clock is from the machine's. */
  clockOffsetMs?: number;
  /** Where it logs to; default: a file of its own. */
  logFile?: string;
}

export interface WorldOptions {
  dataDir: string;
  accounts: readonly OpeningAccount[];
  /** Told of each stage of the start, and of processes that end and come back. */
  onEvent: (line: string) => void;
}

/** A whole system to break: everything that is needed in production, each process behind links that can be cut. */
export class World {
  readonly system: System;
  readonly servers: Servers;
  readonly simulator: Simulator;
  readonly #links = new Map<string, Links>();
  readonly #gone = new Set<AppProcess>();
  /** Of workers that start from now on. */
  #env: Record<string, string> = { MARKET_HOURS: 'always' };

  private constructor(system: System, servers: Servers) {
    this.system = system;
    this.servers = servers;
    this.simulator = new Simulator(system);
  }

  static async start(
    { dataDir, accounts, onEvent }: WorldOptions,
    started: (world: { kill(): Promise<void> }) => void,
  ): Promise<World> {
    mkdirSync(join(dataDir, 'logs'), { recursive: true });
    const servers = await startServers(dataDir, started);
    onEvent('PostgreSQL and NATS are ready');
    const databaseUrl = await migrateDatabase(servers.databaseUrl, PARTITIONS, onEvent);
    await openDemoAccounts(databaseUrl, accounts, onEvent);
    await openHoarder(databaseUrl, PARTITIONS);
    const system = await createSystem({
      dataDir,
      databaseUrl,
      natsUrl: servers.natsUrl,
      ...SIZE,
      workers: 0,
      restart: true,
      env: Object.fromEntries(Object.entries(ENV).map(([app, env]) => [app, { ...env, ...servers.env }])),
      onEvent: (line) => {
        if (line.startsWith('exchange runs')) world.simulator.forgotten();
        onEvent(line);
      },
    });
    const world = new World(system, servers);
    started({ kill: () => world.kill() });
    await system.start();
    await world.addWorkers();
    world.simulator.start();
    return world;
  }

  /** Those that are meant to run. */
  get workers(): AppProcess[] {
    return this.system.workers.filter((worker) => !this.isGone(worker));
  }

  get processes(): AppProcess[] {
    const { gateways, callbacks, exchange } = this.system;
    return [...gateways, ...callbacks, exchange, ...this.workers];
  }

  /** Whether it has left for good. */
  isGone(worker: AppProcess): boolean {
    return this.#gone.has(worker);
  }

  linksOf(worker: AppProcess): Links {
    const links = this.#links.get(worker.name);
    if (links === undefined) throw new Error(`${worker.name} has no links`);
    return links;
  }

  /** As many as there are when nothing is broken. */
  async addWorkers(): Promise<void> {
    await Promise.all(Array.from({ length: WORKERS }, () => this.addWorker()));
  }

  /** One more worker, with links of its own. */
  async addWorker({ clockOffsetMs = 0, ...more }: WorkerStart = {}): Promise<AppProcess> {
    const { exchangeAddress } = this.system;
    const links = {
      nats: await openGate({ targets: this.servers.natsAddresses }),
      postgres: await openGate({ targets: [new URL(this.servers.databaseUrl).host] }),
      exchange: await openGate({ targets: [exchangeAddress] }),
    };
    const databaseUrl = new URL(this.servers.databaseUrl);
    databaseUrl.host = links.postgres.address;
    const env = {
      NATS_URL: withLogin(`nats://${links.nats.address}`, LOGIN),
      DATABASE_URL: databaseUrl.href,
      EXCHANGE_ADDRESS: links.exchange.address,
      ...this.#env,
      ...(clockOffsetMs === 0 ? {} : wrongClock(clockOffsetMs)),
    };
    const starting = this.system.addWorker(env, more);
    const worker = this.system.workers.at(-1);
    if (worker !== undefined) this.#links.set(worker.name, links);
    return starting.catch((error) => startAgain(worker, error));
  }

  /** As a deployment does: others take the place of all workers, and partitions are handed over. */
  async replaceWorkers(env: Record<string, string>): Promise<void> {
    this.#env = { ...this.#env, ...env };
    const { workers } = this;
    await Promise.all(workers.map(() => this.addWorker()));
    await Promise.all(workers.map((worker) => this.removeWorker(worker)));
  }

  /** Stops a worker for good, in order unless it is to be killed. */
  async removeWorker(worker: AppProcess, how: 'stopped' | 'killed' = 'stopped'): Promise<void> {
    this.#gone.add(worker);
    await (how === 'stopped' ? worker.stop() : worker.stop(0));
    await this.#closeLinks(worker.name);
  }

  /** Everything runs and reaches everything. What the faults have not undone is undone here. */
  async heal(): Promise<void> {
    for (const { nats, postgres, exchange } of this.#links.values())
      for (const gate of [nats, postgres, exchange]) gate.restore();
    this.system.callbackGate?.restore();
    for (const process of this.processes) process.signal('SIGCONT');
    await this.servers.heal();
    await Promise.all(this.processes.map((process) => process.untilReady()));
    await this.simulator.untilApplied(30_000);
    await untilSettled(this.servers);
  }

  async stop(): Promise<void> {
    await this.simulator.close();
    await this.system.stop();
    await Promise.all([...this.#links.keys()].map((name) => this.#closeLinks(name)));
    await this.servers.stop();
  }

  /** At once. */
  async kill(): Promise<void> {
    await Promise.all([this.system.kill(), this.servers.kill()]);
  }

  async #closeLinks(name: string): Promise<void> {
    const links = this.#links.get(name);
    this.#links.delete(name);
    await Promise.all([links?.nats.close(), links?.postgres.close(), links?.exchange.close()]);
  }
}

function wrongClock(offsetMs: number): Record<string, string> {
  return { CLOCK_OFFSET_MS: String(offsetMs), NODE_OPTIONS: `--import=${join(import.meta.dirname, 'wrongClock.mjs')}` };
}

/** A start that another fault has spoilt is tried again, as every supervisor does. @throws AppFailedError when it never comes up */
async function startAgain(worker: AppProcess | undefined, spoilt: unknown): Promise<AppProcess> {
  const giveUpAt = performance.now() + START_DEADLINE_MS;
  for (let error = spoilt; ; ) {
    if (worker === undefined || !(error instanceof AppFailedError) || performance.now() > giveUpAt) throw error;
    await delay(START_AGAIN_MS);
    try {
      await worker.start();
      return worker;
    } catch (again) {
      error = again;
    }
  }
}
