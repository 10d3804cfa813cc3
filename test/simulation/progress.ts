import type { Invariants } from './invariants.ts';
import { HONEST } from './memoryExchange.ts';
import { ROLES, type Role, TICKERS } from './plan.ts';
import type { Simulation } from './simulation.ts';

/** How often it is looked whether things go on. */
const LOOK_MS = 200;
/**
 * Once workers, NATS and the database have been well for this long, every partition is led: a lease's lifetime, a second until the
 * server forgets it, the timeout of a call that was under way, the standby's wait, and a retry.
 */
const LED_WITHIN_MS = 10_000;
/** Once everything has been well for this long, every customer with an open trade has seen a change within it. */
const GOES_ON_WITHIN_MS = 10_000;

interface Reach {
  /** Since when the process cannot reach the exchange; undefined while it can. */
  sinceMs: number | undefined;
  /** The outage that ended last. */
  last: { endedAtMs: number; ms: number };
}

/** What must happen while everything is well. Things that must never happen are in invariants.ts. */
export class Progress {
  readonly #simulation: Simulation;
  readonly #invariants: Invariants;
  #leadersCanLeadSinceMs = 0;
  #allIsWellSinceMs = 0;
  /** Which processes there are: a restart begins every wait anew. */
  #processes = '';
  readonly #unledSinceMs = new Map<number, number>();
  readonly #reach = new Map<string, Reach>();
  readonly #changed = new Map<string, { revision: number; atMs: number }>();

  constructor(simulation: Simulation, invariants: Invariants) {
    this.#simulation = simulation;
    this.#invariants = invariants;
    this.#plan();
  }

  /** Whether every partition is led by a worker that trusts its lease, as the database knows it; and the workers know. */
  get isLed(): boolean {
    return this.#unled().length === 0 && this.#simulation.complaining.length === 0;
  }

  /** The longest that the exchange has been out of the process's reach without a break, of outages now and of late. */
  longestOutageMs(process: string): number {
    const { nowMs } = this.#simulation.world;
    const reach = this.#reach.get(process);
    if (reach === undefined) return 0;
    const now = reach.sinceMs === undefined ? 0 : nowMs - reach.sinceMs;
    // What was decided by then may have taken a statement's time to be stored.
    return nowMs - reach.last.endedAtMs < GOES_ON_WITHIN_MS ? Math.max(now, reach.last.ms) : now;
  }

  /** Something was done to the world: waits begin anew. */
  disturbed(): void {
    const { nowMs } = this.#simulation.world;
    this.#leadersCanLeadSinceMs = nowMs;
    this.#allIsWellSinceMs = nowMs;
  }

  #plan(): void {
    const { world } = this.#simulation;
    world.quietlyAt(world.nowMs + LOOK_MS, () => {
      this.#look();
      this.#plan();
    });
  }

  #look(): void {
    const { world } = this.#simulation;
    const processes = ROLES.map((role) => this.#simulation.processOf(role).name).join();
    if (processes !== this.#processes || !this.#canLead()) this.#leadersCanLeadSinceMs = world.nowMs;
    if (processes !== this.#processes || !this.#isAllWell()) this.#allIsWellSinceMs = world.nowMs;
    this.#processes = processes;
    for (const role of ROLES) this.#noteReach(role);
    this.#checkLed();
    this.#checkCustomers(world.nowMs - this.#allIsWellSinceMs > GOES_ON_WITHIN_MS);
  }

  #canLead(): boolean {
    const { natsService, databaseService, network } = this.#simulation.servers;
    const isSlow = natsService.slownessMs + databaseService.slownessMs > 0;
    const workers = ROLES.filter((role) => role.startsWith('worker'));
    return natsService.isUp && databaseService.isUp && !isSlow && network.isCalm && workers.every((role) => this.#isWell(role));
  }

  #isAllWell(): boolean {
    const { exchange, exchangeService, hours, now } = this.#simulation.servers;
    const isTraded = TICKERS.every((ticker) => exchange.hasUsualQuote(ticker));
    return (
      ROLES.every((role) => this.#isWell(role)) &&
      this.#canLead() &&
      exchangeService.isUp &&
      exchangeService.slownessMs === 0 &&
      exchange.behaviour === HONEST &&
      isTraded &&
      hours.at(now()).isOpen &&
      this.#simulation.venueClosedUntilMs <= this.#simulation.world.nowMs
    );
  }

  #isWell(role: Role): boolean {
    const process = this.#simulation.processOf(role);
    return process.isAlive && !process.isPaused && !this.#simulation.isLeaving(process.name);
  }

  #unled(): number[] {
    const { database } = this.#simulation.servers;
    return [...database.epochs.keys()].filter((partition) => !this.#invariants.isLed(partition));
  }

  #checkLed(): void {
    const { nowMs } = this.#simulation.world;
    const unled = new Set(this.#unled());
    for (const partition of this.#unledSinceMs.keys()) if (!unled.has(partition)) this.#unledSinceMs.delete(partition);
    for (const partition of unled) {
      const sinceMs = this.#unledSinceMs.get(partition) ?? nowMs;
      this.#unledSinceMs.set(partition, sinceMs);
      if (nowMs - Math.max(sinceMs, this.#leadersCanLeadSinceMs) > LED_WITHIN_MS)
        this.#invariants.violated(`partition ${partition} is led by nobody, though all has been well for ${LED_WITHIN_MS} ms`);
    }
    if (nowMs - this.#leadersCanLeadSinceMs <= LED_WITHIN_MS || unled.size > 0) return;
    for (const { name, partitions } of this.#simulation.complaining)
      this.#invariants.violated(`${name} says that nobody leads ${partitions}, and all of them are led`);
  }

  #checkCustomers(allIsWell: boolean): void {
    const { world, servers } = this.#simulation;
    for (const [customerId, { revision }] of servers.database.balances) {
      const before = this.#changed.get(customerId);
      if (before?.revision !== revision) this.#changed.set(customerId, { revision, atMs: world.nowMs });
      else if (
        allIsWell &&
        world.nowMs - before.atMs > GOES_ON_WITHIN_MS &&
        this.#invariants.mustGoOn(customerId, world.nowMs - before.atMs)
      )
        this.#invariants.violated(`customer ${customerId} waits, though all has been well for ${GOES_ON_WITHIN_MS} ms`);
    }
  }

  #noteReach(role: Role): void {
    const { world, servers } = this.#simulation;
    const process = this.#simulation.processOf(role);
    const reach = this.#reach.get(process.name) ?? { sinceMs: undefined, last: { endedAtMs: -Infinity, ms: 0 } };
    this.#reach.set(process.name, reach);
    const since = servers.network.unreachableSinceMs(process, servers.exchangeService);
    // Where calls are lost at random, all of them may be.
    const isAway = since !== undefined || servers.network.troubleRate > 0;
    if (isAway) {
      reach.sinceMs ??= since ?? world.nowMs;
    } else if (reach.sinceMs !== undefined) {
      reach.last = { endedAtMs: world.nowMs, ms: world.nowMs - reach.sinceMs };
      reach.sinceMs = undefined;
    }
  }
}
