import { KEYS_KEPT_MS, type Term } from '@stockbroker/lease';
import { SeededRandom } from '@stockbroker/runtime';
import type { FlowEvent } from '@stockbroker/trade-flow';
import type { OrderReport, Trade } from '@stockbroker/trading';
import { drainKey } from '../../libs/lease/src/keys.ts';
import { MemoryLeases } from '../../libs/lease/test/memoryLeaseStore.ts';
import { Client } from './client.ts';
import { Invariants } from './invariants.ts';
import { MemoryBus } from './memoryBus.ts';
import { MemoryDatabase } from './memoryDatabase.ts';
import { MemoryExchange } from './memoryExchange.ts';
import { Network, Service } from './network.ts';
import { type Action, makePlan, type Plan, ROLES, type Role, TICKERS } from './plan.ts';
import type { Servers } from './ports.ts';
import {
  type Callback,
  type Gateway,
  LANE,
  LEASE_TTL_MS,
  LEASE_TTLS_MS,
  PARTITIONS,
  startCallback,
  startGateway,
  startWorker,
  type Witness,
  type Worker,
} from './processes.ts';
import { Progress } from './progress.ts';
import { Sessions } from './sessions.ts';
import { SimulatedProcess } from './simulatedProcess.ts';
import { Watcher } from './watcher.ts';
import { World } from './world.ts';

const START_EPOCH_MS = Date.UTC(2026, 0, 5, 15);
const REPORT_TIMEOUT_MS = 2_500;
const LATE_MS = 6_000;

/** The broker and its world under one seed. */
export class Simulation implements Witness {
  readonly plan: Plan;
  readonly world = new World();
  readonly random: SeededRandom;
  readonly servers: Servers;
  readonly invariants: Invariants;
  readonly progress: Progress;
  readonly clients: Client[];
  readonly watchers: Watcher[];
  /** What happened, in words; kept only when it is wanted, because it takes most of the time. */
  readonly history: string[] = [];
  /** Until then the venue trades nothing, whatever the calendar says. */
  venueClosedUntilMs = 0;
  readonly #tells: boolean;
  readonly #gateways = new Map<Role, Gateway>();
  readonly #callbacks = new Map<Role, Callback>();
  readonly #workers = new Map<Role, Worker>();
  readonly #drained = new Set<string>();
  readonly #kept = new Map<Action, () => void>();
  /** Workers that leave, or have left: by the process's name, until it has ended. */
  readonly #leaving = new Map<string, Promise<void>>();
  #births = 0;

  constructor(seed: number, { plan = makePlan(seed), tells = false }: { plan?: Plan; tells?: boolean } = {}) {
    this.plan = plan;
    this.#tells = tells;
    this.random = new SeededRandom(seed + 0x5eed);
    this.servers = this.#startServers();
    this.invariants = new Invariants(this.servers, plan.openings);
    for (const { customerId, cash, shares } of plan.openings) this.servers.database.openAccount(customerId, cash, shares);
    for (const role of ROLES) this.start(role);
    this.clients = plan.openings.map(({ customerId }) => new Client(customerId, this));
    this.watchers = plan.openings.map(({ customerId }) => new Watcher(customerId, this));
    this.progress = new Progress(this, this.invariants);
  }

  #startServers(): Servers {
    const { world, random } = this;
    const now = () => Math.floor(START_EPOCH_MS + world.nowMs);
    const serverClock = { monotonicMs: () => world.nowMs, sleep: () => Promise.reject(new Error('servers do not sleep')) };
    const exchangeService = new Service('exchange');
    const exchange = new MemoryExchange(
      {
        now,
        isOpen: () => this.venueClosedUntilMs <= world.nowMs && this.servers.hours.at(now()).isOpen,
        refusesRepeats: this.plan.refusesRepeats,
        isBooked: (executionId) => this.servers.database.executions.has(executionId),
        random: () => random.number(),
        after: (ms, run) => world.after(ms, () => this.#whenUp(exchangeService, run)),
        report: (report, when, onTaken) =>
          world.after(when === 'late' ? random.between(100, LATE_MS) : 0, () => this.report(report, onTaken)),
      },
      Object.fromEntries(TICKERS.map((ticker, i) => [ticker, { bid: BigInt(99 + i) * 10_000n, ask: BigInt(100 + i) * 10_000n }])),
    );
    return {
      world,
      random,
      network: new Network(world, random),
      database: new MemoryDatabase(PARTITIONS, () => now() + this.plan.skewsMs.database),
      databaseService: new Service('database'),
      exchange,
      exchangeService,
      bus: new MemoryBus(() => world.nowMs),
      leases: new MemoryLeases(serverClock, this.#keptMs(), () => random.between(0, 1_000)),
      natsService: new Service('nats'),
      hours: new Sessions(this.plan.closed, START_EPOCH_MS),
      now,
    };
  }

  /** A server that was down goes on where it was. */
  #whenUp(service: Service, run: () => void): void {
    if (service.isUp) run();
    else this.world.after(200, () => this.#whenUp(service, run));
  }

  tell(line: () => string): void {
    if (this.#tells) this.history.push(`${(this.world.nowMs / 1_000).toFixed(4).padStart(9)}  ${line()}`);
  }

  start(role: Role): void {
    this.#births += 1;
    // A restarted worker is another worker; so its name is new.
    const { speeds, skewsMs } = this.plan;
    const process = new SimulatedProcess(this.world, `${role}-${this.#births}`, speeds[role], skewsMs[role]);
    if (role.startsWith('gateway')) this.#gateways.set(role, startGateway(process, this.servers, this));
    else if (role.startsWith('callback')) this.#callbacks.set(role, startCallback(process, this.servers, this));
    else this.#workers.set(role, startWorker(process, this.servers, this, this.#leaseTtlMs()));
    this.tell(() => `${process.name} started`);
  }

  #keptMs(): number {
    if (!this.plan.forgetsKeys) return KEYS_KEPT_MS;
    return this.plan.mixesLeases ? Math.max(...LEASE_TTLS_MS) : LEASE_TTL_MS;
  }

  #leaseTtlMs(): number {
    return this.plan.mixesLeases ? this.random.pick(LEASE_TTLS_MS) : LEASE_TTL_MS;
  }

  /** The process that has the role now, alive or not. */
  processOf(role: Role): SimulatedProcess {
    const found = this.#gateways.get(role) ?? this.#callbacks.get(role) ?? this.#workers.get(role);
    if (found === undefined) throw new Error(`nobody has ever been ${role}`);
    return found.process;
  }

  kill(role: Role): void {
    this.tell(() => `${this.processOf(role).name} killed`);
    this.processOf(role).kill();
  }

  /** Starts whoever is not alive. */
  startMissing(): void {
    for (const role of ROLES) if (!this.processOf(role).isAlive) this.start(role);
  }

  /** All workers end, in order or at once. */
  async endWorkers(inOrder: boolean): Promise<void> {
    const roles = ROLES.filter((role) => role.startsWith('worker'));
    if (inOrder) await Promise.all(roles.map((role) => this.leave(role)));
    else for (const role of roles) this.kill(role);
  }

  /** A worker leaves in order, and its process ends: by itself, or killed meanwhile. Asked again, it is the same leaving. */
  async leave(role: Role): Promise<void> {
    const worker = this.#workers.get(role);
    if (worker?.process.isAlive !== true) return;
    const { process } = worker;
    const leaving = this.#leaving.get(process.name) ?? Promise.race([worker.stop(), new Promise<void>(process.onKilled)]);
    this.#leaving.set(process.name, leaving);
    await leaving;
    process.kill();
  }

  /** An operator wants the worker to lead nothing any more. */
  drain(role: Role): void {
    const { name } = this.processOf(role);
    this.tell(() => `${name} is to drain`);
    this.#drained.add(name);
    this.servers.leases.put(drainKey(name), 'operator');
  }

  /** Keeps what the database has now, for a fault that will put it back. */
  keepCommits(fault: Action): void {
    this.#kept.set(fault, this.servers.database.snapshot());
  }

  loseCommits(fault: Action): void {
    const { network, databaseService } = this.servers;
    network.stop(databaseService);
    this.#kept.get(fault)?.();
    network.start(databaseService);
    this.invariants.commitsWereLost();
    for (const eye of [...this.clients, ...this.watchers]) eye.forget();
  }

  /** Whether it gives up, or has given up, what it leads. */
  isLeaving(process: string): boolean {
    return this.#drained.has(process) || this.#leaving.has(process);
  }

  /** A drained worker competes again when it was restarted. */
  restartDrained(): void {
    for (const { process } of this.#workers.values()) if (this.#drained.has(process.name)) process.kill();
  }

  /** Workers that take part, and say that nobody leads what somebody should lead. */
  get complaining(): { name: string; partitions: number[] }[] {
    return [...this.#workers.values()]
      .filter(({ process }) => process.isAlive && !this.isLeaving(process.name))
      .map(({ process, withoutLeader }) => ({ name: process.name, partitions: withoutLeader() }))
      .filter(({ partitions }) => partitions.length > 0);
  }

  get gateways(): Gateway[] {
    return [...this.#gateways.values()];
  }

  /** The exchange reports to one of the callback processes, again until it is taken. */
  report(report: OrderReport, onTaken: () => void, failures = 0): void {
    const { network, exchangeService } = this.servers;
    const again = () =>
      this.world.after(100 * 2 ** Math.min(failures, 5), () =>
        this.#whenUp(exchangeService, () => this.report(report, onTaken, failures + 1)),
      );
    const callback = this.random.pick([...this.#callbacks.values()]);
    let isOver = false;
    const end = (run: () => void) => {
      if (!isOver) run();
      isOver = true;
    };
    this.world.after(REPORT_TIMEOUT_MS, () => end(again));
    if (network.isLost()) return;
    this.world.after(network.delayMs(), () =>
      callback.process.deliver(() => {
        callback.take(report).then(
          () => !network.isLost() && this.world.after(network.delayMs(), () => end(onTaken)),
          () => this.world.after(network.delayMs(), () => end(again)),
        );
      }),
    );
  }

  event(process: SimulatedProcess, event: FlowEvent): void {
    this.tell(() => `${process.name} ${describeEvent(event)}`);
    this.invariants.onEvent(event);
    const isUnavailable = event.kind === 'refused' && event.trade.rejectCode === 'EXCHANGE_UNAVAILABLE';
    const outageMs = isUnavailable ? this.progress.longestOutageMs(process.name) : Infinity;
    if (outageMs < LANE.maxOutageMs - REPORT_TIMEOUT_MS / 5)
      this.invariants.violated(`a trade is rejected EXCHANGE_UNAVAILABLE, and the exchange was away for ${outageMs} ms`);
  }

  log(process: SimulatedProcess, message: string): void {
    this.tell(() => `${process.name} ${message}`);
  }

  readonly marked = (process: SimulatedProcess, trade: Trade): void => {
    this.tell(() => `${process.name} has marked ${trade.seq} of ${trade.customerId} ${trade.status}`);
    this.invariants.onMarked(process, trade);
  };

  readonly sent = (process: SimulatedProcess, trade: Trade): void => {
    this.tell(() => `${process.name} sends ${trade.seq} of ${trade.customerId}`);
    this.invariants.onSent(trade);
  };

  elected(process: SimulatedProcess, term: Term): void {
    this.tell(() => `${process.name} elected leader of partition ${term.partition}`);
    this.invariants.onElected(process, term);
  }
}

function describeEvent(event: FlowEvent): string {
  switch (event.kind) {
    case 'lane-failed':
      return `${event.kind} of ${event.customerId}: ${(event.error as Error).message}`;
    case 'quarantined':
      return `${event.kind} ${event.tradeId}: ${event.why}`;
    default:
      return `${event.kind} ${event.trade.seq} of ${event.trade.customerId}: ${event.trade.type} ${event.trade.quantity} ${event.trade.stockTicker} ${event.trade.status}${event.trade.rejectCode === null ? '' : ` ${event.trade.rejectCode}`} ${event.trade.id}`;
  }
}
