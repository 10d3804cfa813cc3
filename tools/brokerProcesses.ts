import { existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { LineWriter } from '@stockbroker/runtime';
import type { OpeningAccount } from '@stockbroker/store';
import {
  createSystem,
  issuerFolder,
  type NatsServer,
  type PostgresServer,
  type System,
  type SystemOptions,
  startNats,
  startPostgres,
} from '@stockbroker/testkit/processes';
import type { Account } from '@stockbroker/trading';
import { EmbeddedServer } from './embeddedServer.ts';
import type { Person } from './issuer/authorize.ts';
import { type IssuerServer, startIssuer } from './issuer/issuerServer.ts';
import { checkNats, migrateDatabase, openDemoAccounts } from './prepareServers.ts';

export interface BrokerOptions extends Pick<SystemOptions, 'gateways' | 'workers' | 'standardPorts'> {
  dataDir: string;
  /** The user's own servers, if any. */
  databaseUrl?: string | undefined;
  natsUrl?: string | undefined;
  /** Of a new database; one that exists must have as many. */
  partitions: number;
  /** Opened if they do not exist. */
  accounts: readonly OpeningAccount[];
  /** Environment of every app, see `appSettings`. */
  settings: Record<string, string>;
  /** Folder of the trading page for the gateways to serve; by default they serve none. */
  page?: (onEvent: (line: string) => void) => Promise<string>;
  /** Customers who can sign in in the browser, at an issuer of this process; by default nobody can. */
  people?: readonly Person[];
  /** Told of each stage, and later of processes that end and start again. */
  onEvent: (line: string) => void;
}

export interface Broker {
  system: System;
  databaseUrl: string;
  natsUrl: string;
  /** The accounts asked for, as they were at the start. */
  accounts: Account[];
  /** Where customers sign in. */
  issuer: IssuerServer | undefined;
}

const ISSUER_PORT = 50080;

/** A whole broker with its exchange, PostgreSQL and nats-server, each a process of its own that is started again when it ends. */
export class BrokerProcesses {
  readonly #options: BrokerOptions;
  #postgres: EmbeddedServer<PostgresServer> | undefined;
  #nats: EmbeddedServer<NatsServer> | undefined;
  #issuer: IssuerServer | undefined;
  #system: System | undefined;
  #prepared: Promise<Account[]> | undefined;
  #databaseDir: string | undefined;
  #stopping = false;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  /** Starts all side by side: the apps load their modules while the servers start. @throws when it fails, or is stopped meanwhile */
  async start(): Promise<Broker> {
    const { dataDir, accounts, partitions, settings, onEvent, gateways, workers, standardPorts } = this.#options;
    mkdirSync(join(dataDir, 'logs'), { recursive: true });
    const natsUrl = this.#startNats();
    const databaseUrl = migrateDatabase(this.#startPostgres(), partitions, onEvent);
    const opened = databaseUrl.then((url) => openDemoAccounts(url, accounts, onEvent));
    this.#prepared = opened;
    for (const promise of [natsUrl, databaseUrl, opened]) promise.catch(() => {}); // Told below, and by the apps, which wait for them.
    this.#issuer = await this.#startIssuer();
    const page = await this.#options.page?.(onEvent);
    const gateway = page === undefined ? settings : { ...settings, GATEWAY_WEB_ROOT: page };
    this.#system = await createSystem({
      dataDir,
      databaseUrl,
      natsUrl,
      restart: true,
      onEvent,
      ...(gateways === undefined ? {} : { gateways }),
      ...(workers === undefined ? {} : { workers }),
      ...(standardPorts === undefined ? {} : { standardPorts }),
      ...(this.#issuer === undefined ? {} : { issuer: this.#issuer.keys }),
      env: { exchange: settings, callback: settings, worker: settings, gateway },
    });
    if (this.#stopping) throw new Error('stopped while starting');
    await this.#system.start();
    // People write either into their browser.
    for (const { endpoints } of this.#system.gateways)
      for (const name of ['127.0.0.1', 'localhost']) this.#issuer?.allow((endpoints.web ?? '').replace('127.0.0.1', name));
    return {
      system: this.#system,
      issuer: this.#issuer,
      databaseUrl: await databaseUrl,
      natsUrl: await natsUrl,
      accounts: await opened,
    };
  }

  /** In order: no new trades, then what is under way, then the exchange, then the servers. Also while it is being started. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#system?.stop();
    await this.#issuer?.stop();
    await this.#prepared?.catch(() => {}); // What it began in the database is not cut short.
    await Promise.all([this.#postgres?.stop(), this.#nats?.stop()]);
  }

  /** At once. The database recovers at its next start. */
  async kill(): Promise<void> {
    this.#stopping = true;
    await Promise.all([this.#issuer?.stop(), this.#system?.kill(), this.#postgres?.kill(), this.#nats?.kill()]);
  }

  /** Where data are that could not be in the data folder. */
  dataFolders(): string[] {
    return this.#databaseDir === undefined ? [] : [this.#databaseDir];
  }

  async #startIssuer(): Promise<IssuerServer | undefined> {
    const { dataDir, people, standardPorts = false } = this.#options;
    if (people === undefined) return undefined;
    const start = (port: number) => startIssuer({ dir: issuerFolder(dataDir), port, people });
    if (!standardPorts) return start(0);
    return start(ISSUER_PORT).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') return start(0);
      throw error;
    });
  }

  async #startPostgres(): Promise<string> {
    const { dataDir, databaseUrl, onEvent } = this.#options;
    if (databaseUrl !== undefined) return databaseUrl;
    const log = logTo(join(dataDir, 'logs', 'postgres.log'));
    const launch = async (port?: number) => {
      const dir = this.#databaseDir;
      // Started again without them, it would make an empty database and run, and nothing would say so.
      if (dir !== undefined && !existsSync(join(dir, 'PG_VERSION')))
        throw new Error(`its data in ${dir} are gone: stop with Ctrl-C, then start anew`);
      return startPostgres({ dataDir: join(dataDir, 'postgres'), ...(port === undefined ? {} : { port }), log });
    };
    this.#postgres = new EmbeddedServer('PostgreSQL', launch, onEvent);
    const { url, port, dataDir: databaseDir } = await this.#postgres.ready();
    this.#databaseDir = databaseDir;
    onEvent(`PostgreSQL is ready on port ${port}`);
    return url;
  }

  async #startNats(): Promise<string> {
    const { dataDir, natsUrl, onEvent } = this.#options;
    if (natsUrl !== undefined) {
      await checkNats(natsUrl);
      return natsUrl;
    }
    const write = logTo(join(dataDir, 'logs', 'nats.log'));
    const log = (line: string) => {
      if (line.startsWith('downloading')) onEvent(line);
      write(line);
    };
    const launch = (port?: number) =>
      startNats({ storeDir: join(dataDir, 'nats'), ...(port === undefined ? {} : { port }), log });
    this.#nats = new EmbeddedServer('nats-server', launch, onEvent);
    const { url, port } = await this.#nats.ready();
    onEvent(`nats-server is ready on port ${port}`);
    return url;
  }
}

const SETTINGS = new RegExp(
  `^(${[
    'LOG_LEVEL|PARTITIONS|MARKET_(HOURS|CLOSINGS)|CLUSTER_SIZE|MAX_OPEN_TRADES|MAX_(STARTING_)?LANES|QUOTE_MAX_MOVE|AUTH_MAX_LIFETIME_S',
    '\\w+_(MS|ROWS|POOL|RATE|BYTES|IN_FLIGHT|CONNECTIONS|PER_CONNECTION|PER_SECOND|BURST_CALLS|STREAMS|HOPS)',
    'GATEWAY_(TLS_(CERT|KEY)|WEB_ORIGINS)|EXCHANGE_(SEED|MANUAL|MAX_\\w+|FREEZE_QUOTES|UNAVAILABLE|SWALLOW_ANSWERS)',
  ].join('|')})$`,
);
const OF_NATS = /^NATS_(PREFIX|REPLICAS|\w+_FILE)$/;

/** Settings of the apps that a user may change from outside; what ties the processes together is decided here. */
export function appSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  return those(env, SETTINGS);
}

/** How the user's own NATS servers are used; nothing when there are none. */
export function natsSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  return env.NATS_URL ? those(env, OF_NATS) : {};
}

function those(env: NodeJS.ProcessEnv, names: RegExp): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value !== undefined && names.test(name) ? [[name, value]] : [])),
  );
}

/** Of a full disk's lines only so many are lost as it does not take. */
function logTo(file: string): (line: string) => void {
  const writer = new LineWriter(openSync(file, 'a'), { dropped: () => {}, back: () => {} });
  return (line) => writer.write(`${line}\n`);
}
