import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RpcChannel, type TlsIdentity } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { type OpeningAccount, openAccounts, readAllTrades } from '@stockbroker/store';
import { type Database, openDatabase } from '@stockbroker/store/database';
import { partitionOf, type UsdE4 } from '@stockbroker/trading';
import type { AppProcess } from './appProcess.ts';
import { type BooksReport, checkBooks } from './books.ts';
import { Customer } from './customer.ts';
import { eventually } from './eventually.ts';
import { ExchangeActor } from './exchangeActor.ts';
import { type NatsServer, startNats } from './natsServer.ts';
import { CALL_TIMEOUT_MS } from './patience.ts';
import { processStart } from './processTable.ts';
import { keepFolder } from './runFolder.ts';
import type { System } from './system.ts';

const PARTITIONS = 100;

/** Of the tests' own clients. */
export interface ClientTls {
  gateway: TlsIdentity;
  exchange?: TlsIdentity;
}

interface BrokerParts {
  folder: string;
  databaseUrl: string;
  nats: NatsServer | undefined;
  system: System;
  tls: ClientTls | undefined;
}

export class Broker {
  readonly exchange: ExchangeActor;
  readonly system: System;
  /** Reads what no client is told. */
  readonly db: Database;
  readonly databaseUrl: string;
  /** Logs of all processes, and what the exchange keeps. */
  readonly folder: string;
  readonly #tls: ClientTls | undefined;
  #nats: NatsServer | undefined;
  readonly #channels = new Map<number, RpcChannel>();
  readonly #openings: OpeningAccount[] = [];
  readonly #acknowledged = new Set<string>();
  /** Final trades as they were when last looked at. */
  readonly #final = new Map<string, string>();

  constructor({ folder, databaseUrl, nats, system, tls }: BrokerParts) {
    this.#tls = tls;
    this.folder = folder;
    this.databaseUrl = databaseUrl;
    this.#nats = nats;
    this.system = system;
    this.db = openDatabase({ url: databaseUrl, poolSize: 2, statementTimeoutMs: 30_000, onConnectionError: () => {} });
    this.exchange = new ExchangeActor({
      process: system.exchange,
      address: system.exchangeAddress,
      apiKey: system.exchangeApiKey,
      tls: tls?.exchange,
      statusOf: async (id) => (await this.db.trade.findUnique({ where: { id }, select: { status: true } }))?.status,
    });
  }

  /** Opens an account. */
  async customer({ cash = 0n, shares = {} }: { cash?: UsdE4; shares?: Record<string, number> } = {}): Promise<Customer> {
    const opening = { customerId: randomUUID(), cash, shares };
    await openAccounts(this.db, [opening]);
    this.#openings.push(opening);
    return this.#customer(opening.customerId);
  }

  /** Has a token, but no account. */
  stranger(): Promise<Customer> {
    return this.#customer(randomUUID());
  }

  async #customer(customerId: string): Promise<Customer> {
    return new Customer(customerId, await this.system.issuer.tokenFor(customerId), {
      clientOf: (gateway) => this.#channel(gateway).client(TradingServiceDefinition, CALL_TIMEOUT_MS),
      onPlaced: (orderId) => this.#acknowledged.add(orderId),
    });
  }

  customers(count: number, opening: { cash?: UsdE4; shares?: Record<string, number> }): Promise<Customer[]> {
    return Promise.all(Array.from({ length: count }, () => this.customer(opening)));
  }

  /** The broker's own server. */
  get nats(): NatsServer {
    if (this.#nats === undefined) throw new Error('this broker has no NATS of its own');
    return this.#nats;
  }

  gateway(number: number): AppProcess {
    return nth(this.system.gateways, number);
  }

  callback(number: number): AppProcess {
    return nth(this.system.callbacks, number);
  }

  worker(number: number): AppProcess {
    return nth(this.system.workers, number);
  }

  /** Starts a killed gateway again, or a live one anew; resolves when it takes calls. */
  async restartGateway(number: number): Promise<void> {
    await this.gateway(number).kill();
    await this.gateway(number).start();
    this.#channels.get(number)?.close(); // It would wait for a while before it connects again.
    this.#channels.delete(number);
  }

  /** The worker that took over the customer's partition last. */
  async leaderOf(customer: Customer): Promise<AppProcess> {
    const partition = partitionOf(customer.id, PARTITIONS);
    const { leader } = await eventually(
      () => this.db.partitionLease.findUniqueOrThrow({ where: { partition } }),
      (lease) => lease.leader !== '',
      { what: `a leader of partition ${partition}` },
    );
    const worker = this.system.workers.find(({ name }) => leader.startsWith(`${name}-`));
    if (worker === undefined) throw new Error(`partition ${partition} is led by ${leader}, which is not among the workers`);
    return worker;
  }

  /** How many partitions each running worker leads, the fewest first: whoever took one over last. */
  async spread(): Promise<number[]> {
    const leases = await this.db.partitionLease.findMany();
    const ids = this.system.workers.filter(({ pid }) => pid !== undefined).map(({ endpoints }) => endpoints.worker);
    return ids.map((id) => leases.filter(({ leader }) => leader === id).length).toSorted((a, b) => a - b);
  }

  /** Waits until the running workers lead evenly: then no partition moves until one of them comes or goes. */
  async untilEven(): Promise<void> {
    const isEven = (counts: number[]) => {
      const [fewest = 0, most = 0] = [counts[0], counts.at(-1)];
      return most - fewest <= 1 && counts.reduce((sum, count) => sum + count, 0) === PARTITIONS;
    };
    await eventually(() => this.spread(), isEven, { what: 'partitions that are spread evenly' });
  }

  /** Starts nats-server again after `nats.kill()`, on the same port. */
  async restartNats(): Promise<void> {
    this.#nats = await startNats({ storeDir: join(this.folder, 'nats'), port: this.nats.port });
  }

  /** Waits until no trade is placed or executed. */
  async allEnded(): Promise<void> {
    const open = () => this.db.trade.findMany({ where: { status: { in: ['placed', 'executed'] } }, take: 5 });
    await eventually(open, (trades) => trades.length === 0, { what: 'the end of all trades' });
  }

  /**
   * Lets the exchange complete every open order, waits for the end of all trades, and checks the books and that no final trade
   * has changed since they were last checked.
   *
   * @param exchangeLied see BooksOptions
   */
  async books({ exchangeLied = false }: { exchangeLied?: boolean } = {}): Promise<BooksReport> {
    await this.exchange.whileBehaving({ manual: false }, () => this.allEnded());
    const report = await checkBooks({
      databaseUrl: this.databaseUrl,
      exchange: { address: this.system.exchangeAddress, apiKey: this.system.exchangeApiKey, tls: this.#tls?.exchange },
      openings: this.#openings,
      expectedTrades: this.#acknowledged.size,
      exchangeLied,
    });
    return { ...report, violations: [...report.violations, ...(await this.#changedTrades())] };
  }

  /**
   * Stops everything.
   *
   * @param keep leaves the folder with the logs
   * @throws Error when a process is left, or one ended by a failure of its own
   */
  async close({ keep = false }: { keep?: boolean } = {}): Promise<void> {
    const { gateways, workers, callbacks, exchange } = this.system;
    const pids = [...gateways, ...workers, ...callbacks, exchange].flatMap(({ pid }) => pid ?? []);
    for (const channel of this.#channels.values()) channel.close();
    this.exchange.close();
    await this.db.$disconnect();
    await this.system.stop();
    await this.#nats?.stop();
    const problems = [
      ...pids.filter((pid) => processStart(pid) !== undefined).map((pid) => `process ${pid} is left`),
      ...readFatalLines(join(this.folder, 'system', 'logs')),
    ];
    if (keep || problems.length > 0) keepFolder(this.folder);
    if (problems.length > 0) throw new Error(`${problems.join('\n')}\nThe logs are in ${this.folder}.`);
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }

  #channel(gateway: number): RpcChannel {
    let channel = this.#channels.get(gateway);
    if (channel === undefined) {
      const address = this.gateway(gateway).endpoints.grpc;
      if (address === undefined) throw new Error(`gateway ${gateway} has told no address`);
      channel = new RpcChannel(address, {}, this.#tls?.gateway);
      this.#channels.set(gateway, channel);
    }
    return channel;
  }

  async #changedTrades(): Promise<string[]> {
    const changed: string[] = [];
    for await (const trade of readAllTrades(this.db)) {
      if (trade.status !== 'filled' && trade.status !== 'rejected') continue;
      const now = JSON.stringify(trade, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
      const before = this.#final.get(trade.id);
      if (before !== undefined && before !== now) changed.push(`final trade ${trade.id} changed from ${before} to ${now}`);
      this.#final.set(trade.id, now);
    }
    return changed;
  }
}

/** Lines of pino's level 60: a process that ended itself because of an error that nobody expected. */
function readFatalLines(logs: string): string[] {
  return readdirSync(logs).flatMap((name) =>
    readFileSync(join(logs, name), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{"level":60,'))
      .map((line) => `${name}: ${line.slice(0, 1_000)}`),
  );
}

function nth(processes: AppProcess[], number: number): AppProcess {
  const found = processes[number];
  if (found === undefined) throw new Error(`there are only ${processes.length} such processes`);
  return found;
}
