import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type OpeningAccount, openAccounts, storeVariables } from '@stockbroker/store';
import { migrate } from '@stockbroker/store/migrate';
import {
  type BooksReport,
  type Broker,
  checkBooks,
  createDatabase,
  type PostgresServer,
  startBroker,
} from '@stockbroker/testkit';
import { parseUsd } from '@stockbroker/trading';
import { appSettings } from '../brokerProcesses.ts';
import { bundleApps } from '../bundleApps.ts';
import { TICKERS } from '../demoPlan.ts';
import { booksOfAll } from './large/booksOfAll.ts';
import { fillLarge } from './large/fillLarge.ts';
import { type OldCustomer, oldCustomers } from './large/oldCustomers.ts';
import type { Load } from './load/main.ts';
import type { Queued } from './load/queue.ts';
import type { Seen } from './load/seen.ts';
import type { BenchCustomer } from './load/trading.ts';
import { LoadProcess } from './loadProcess.ts';
import { type Memory, Meter, type MeteredPids, type Spent, spentBetween } from './meter.ts';
import type { OldTrades, Plan } from './plan.ts';
import { profiledEnvironment, type Work, watchWork } from './profile/profile.ts';

const PARTITIONS = 100;
const DAY_S = 86_400;
const ACCOUNTS_AT_ONCE = 5_000;
/** More than anybody can spend or sell here: no trade is refused. */
const CASH = parseUsd('100000000.00');
const SHARES = 1_000_000;
const WARM_UP_OPEN = 256;
const WARM_UP_LOOK_MS = 250;

export interface BenchBrokerOptions extends Pick<Plan, 'customers' | 'workers' | 'profiles'> {
  postgres: PostgresServer;
  /** Of its data and of what it writes. */
  folder: string;
  /** Unique on this server: its database's, and its folder's. */
  name: string;
  /** Customers with old trades that are there already: those who trade are drawn from them. Undefined: all are new. */
  old?: OldTrades | undefined;
  onEvent: (line: string) => void;
}

type Times = Pick<Plan, 'warmUpSeconds' | 'seconds'>;

/** What a load did in a window of time, and what it cost. */
export interface Measured extends Seen, Spent {
  queued?: Queued;
  memory: Record<string, Memory>;
}

interface BenchParts {
  broker: Broker;
  load: LoadProcess;
  startLoad: () => Promise<LoadProcess>;
  postgres: PostgresServer;
  customers: number;
  /** Proves everything that this many acknowledged trades have done. */
  books: (acknowledged: number) => Promise<BooksReport>;
}

/** A broker of production's bundles and defaults, its customers, and the process that trades for them. */
export class BenchBroker {
  readonly broker: Broker;
  readonly #load: LoadProcess;
  readonly #startLoad: () => Promise<LoadProcess>;
  readonly #pids: MeteredPids;
  readonly #meter: Meter;
  readonly #customers: number;
  readonly #books: BenchParts['books'];

  private constructor({ broker, load, startLoad, postgres, customers, books }: BenchParts) {
    this.broker = broker;
    this.#load = load;
    this.#startLoad = startLoad;
    this.#pids = { postgres: postgres.pid, load: load.pid };
    this.#meter = new Meter(broker, this.#pids);
    this.#customers = customers;
    this.#books = books;
  }

  static async start(options: BenchBrokerOptions): Promise<BenchBroker> {
    const { postgres, folder, name, customers, workers, profiles, old, onEvent } = options;
    const databaseUrl = await createDatabase(postgres.url, name);
    if (old === undefined) await migrate(databaseUrl, PARTITIONS);
    else await fillLarge({ ...old, databaseUrl, onEvent });
    const broker = await startBroker({ databaseUrl, bundles: await bundleApps(), workers, env: environment(profiles) });
    try {
      await broker.exchange.behaves({ manual: false });
      const traders = old === undefined ? await newCustomers(broker, customers) : await someOf(broker, customers);
      const file = await writeCustomers(broker, traders.customers, join(folder, name));
      const startLoad = () => LoadProcess.start(broker.system.gatewayAddress, broker.nats.url, file);
      return new BenchBroker({ broker, load: await startLoad(), startLoad, postgres, customers, books: traders.books });
    } catch (error) {
      await broker.close();
      throw error;
    }
  }

  /** Trades until each customer has: the processes are new, and each token is verified when it is first seen. */
  async warmUp(isStopped: () => boolean): Promise<void> {
    await this.#load.begin({ concurrency: WARM_UP_OPEN });
    do {
      await delay(WARM_UP_LOOK_MS);
      await this.#load.openWindow(); // Tells how far it is.
    } while (this.#load.acknowledged < this.#customers && !isStopped());
    await this.#load.end();
  }

  /** Puts a load on it; what happens after `warmUpSeconds` and for `seconds` counts. Returns when every trade has ended. */
  async run(load: Load, { warmUpSeconds, seconds }: Times): Promise<Measured> {
    await this.#load.begin(load);
    await delay(warmUpSeconds * 1_000);
    const before = await this.#meter.read();
    await this.#load.openWindow();
    await delay(seconds * 1_000);
    await this.#load.closeWindow();
    const after = await this.#meter.read();
    const memory = this.#meter.memory();
    const seen = await this.#load.end();
    return { ...seen, ...spentBetween(before, after, seen.ended), memory };
  }

  /** What all processes do under a load, while it counts; they must have been started to be profiled, into that folder. */
  async profile(load: Load, { warmUpSeconds, seconds }: Times, folder: string): Promise<Work & { trades: number }> {
    await this.#load.begin(load);
    await delay(warmUpSeconds * 1_000);
    await this.#load.openWindow();
    const work = await watchWork(this.broker, seconds, folder);
    await this.#load.closeWindow();
    const { ended } = await this.#load.end();
    return { ...work, trades: ended };
  }

  /** Does this while so many customers, each in turn, have a WatchTrades stream open, in a process that is told apart too. */
  async whileWatched<T>(streams: number, act: () => Promise<T>): Promise<T> {
    const watchers = await this.#startLoad();
    try {
      await watchers.watch(streams);
      this.#pids.watchers = watchers.pid;
      return await act();
    } finally {
      delete this.#pids.watchers;
      await watchers.watch(0);
      await watchers.close();
    }
  }

  /** What its processes use while nobody trades, of all processors, from 0 to 1. */
  async idleBusy(seconds: number): Promise<number> {
    const before = await this.#meter.read();
    await delay(seconds * 1_000);
    return spentBetween(before, await this.#meter.read(), 1).busy;
  }

  /** Of everything that was traded so far. */
  books(): Promise<BooksReport> {
    return this.#books(this.#load.acknowledged);
  }

  async close(): Promise<void> {
    await this.#load.close();
    await this.broker.close();
  }
}

/** What production has by default, not the small pools of tests; settings of the user's environment are handed on. */
function environment(profiles: string | undefined) {
  const pool = { DATABASE_POOL: String(storeVariables.DATABASE_POOL.default) };
  const profile = profiles === undefined ? {} : profiledEnvironment(profiles);
  const common = { ...pool, ...profile, ...appSettings(process.env) };
  return { gateway: common, worker: common, callback: common, exchange: { EXCHANGE_MANUAL: 'off', ...profile } };
}

/** Who trades, and how its books are proven. */
interface Traders {
  customers: Pick<OldCustomer, 'customerId' | 'stockTicker'>[];
  books: BenchParts['books'];
}

async function newCustomers(broker: Broker, count: number): Promise<Traders> {
  const openings = Array.from({ length: count }, (_, i) => openingOf(i));
  for (let i = 0; i < count; i += ACCOUNTS_AT_ONCE) await openAccounts(broker.db, openings.slice(i, i + ACCOUNTS_AT_ONCE));
  // Not the tables that are still empty: as in a new database, nothing is known of them.
  await broker.db.$executeRawUnsafe('VACUUM ANALYZE balances, positions');
  const { databaseUrl, system } = broker;
  const exchange = { address: system.exchangeAddress, apiKey: system.exchangeApiKey };
  return {
    customers: openings.map(({ customerId, shares }) => ({ customerId, stockTicker: Object.keys(shares)[0] as string })),
    books: (expectedTrades) => checkBooks({ databaseUrl, exchange, openings, expectedTrades }),
  };
}

async function someOf(broker: Broker, count: number): Promise<Traders> {
  const sinceMs = Date.now();
  return {
    customers: await oldCustomers(broker.databaseUrl, count),
    books: (acknowledged) => booksOfAll(broker.databaseUrl, sinceMs, acknowledged),
  };
}

function openingOf(i: number): OpeningAccount {
  return { customerId: randomUUID(), cash: CASH, shares: { [TICKERS[i % TICKERS.length] as string]: SHARES } };
}

/** Tokens are made before anything is measured. */
async function writeCustomers(broker: Broker, traders: Traders['customers'], folder: string): Promise<string> {
  const customers = await Promise.all(
    traders.map(async ({ customerId, stockTicker }): Promise<BenchCustomer> => {
      const token = await broker.system.issuer.tokenFor(customerId, { lifetimeSeconds: DAY_S });
      return { id: customerId, token, stockTicker };
    }),
  );
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'customers.json');
  writeFileSync(file, JSON.stringify(customers), { mode: 0o600 });
  return file;
}
