import type { WatchEvent } from '@stockbroker/trade-flow';
import { revisionOf, type Trade } from '@stockbroker/trading';
import type { Simulation } from './simulation.ts';

/** A stream that nothing comes on for this long is given up. */
const SILENCE_MS = 12_000;

/**
 * A customer's screen: it keeps a stream open at some gateway, and when that breaks opens another with the last revision it has seen.
 * What it is told must be gapless, and in the end be what the database says.
 */
export class Watcher {
  readonly customerId: string;
  /** The last revision told; 0 before the first snapshot. */
  revision = 0;
  readonly #simulation: Simulation;
  readonly #trades = new Map<string, Trade>();
  /** Ends with the stream. */
  #stream = new AbortController();
  #heardAtMs = 0;
  #lastArrivalMs = 0;

  constructor(customerId: string, simulation: Simulation) {
    this.customerId = customerId;
    this.#simulation = simulation;
    this.#open();
    this.#listen();
  }

  /** Revisions have begun again from an earlier one: its user loads everything anew. */
  forget(): void {
    this.revision = 0;
    this.#trades.clear();
    this.#reopen(this.#stream);
  }

  /** As if the network had changed. */
  #reopen(stream: AbortController): void {
    if (stream !== this.#stream || stream.signal.aborted) return;
    stream.abort();
    const { world, random } = this.#simulation;
    world.after(random.between(20, 500), () => this.#open());
  }

  #open(): void {
    const { world, random, gateways, servers } = this.#simulation;
    const stream = new AbortController();
    this.#stream = stream;
    this.#heardAtMs = world.nowMs;
    const gateway = random.pick(gateways);
    const broken = () => world.after(servers.network.delayMs(), () => this.#reopen(stream));
    if (!gateway.process.isAlive || servers.network.isLost()) {
      broken();
      return;
    }
    gateway.process.onKilled(broken);
    world.after(servers.network.delayMs(), () =>
      gateway.process.deliver(() => {
        const { customerId, revision: after } = this;
        this.#send(gateway.watch({ customerId, after, signal: stream.signal }), stream).then(broken, broken);
      }),
    );
  }

  /** One connection: nothing overtakes; and where something is lost, it is broken. */
  async #send(events: AsyncIterable<WatchEvent>, stream: AbortController): Promise<void> {
    const { world, servers } = this.#simulation;
    for await (const event of events) {
      if (servers.network.isLost()) return;
      this.#lastArrivalMs = Math.max(this.#lastArrivalMs, world.nowMs + servers.network.delayMs());
      world.at(this.#lastArrivalMs, () => {
        if (stream === this.#stream && !stream.signal.aborted) this.#take(event);
      });
    }
  }

  /** Silence may be a stream that nobody serves any more. */
  #listen(): void {
    const { world } = this.#simulation;
    if (world.nowMs - this.#heardAtMs > SILENCE_MS) this.#reopen(this.#stream);
    world.after(SILENCE_MS / 4, () => this.#listen());
  }

  #take(event: WatchEvent): void {
    this.#heardAtMs = this.#simulation.world.nowMs;
    const violated = (what: string) => this.#simulation.invariants.violated(`the watcher of ${this.customerId} ${what}`);
    if (event.kind === 'heartbeat') {
      if (event.revision !== this.revision) violated(`saw ${this.revision}, and is told that it stands at ${event.revision}`);
      return;
    }
    if (event.kind === 'snapshot') {
      if (event.revision < this.revision) violated(`saw ${this.revision}, and is told how it stood at ${event.revision}`);
      this.#trades.clear();
    } else if (event.first !== this.revision + 1) {
      violated(`saw ${this.revision}, and is told of ${event.first}`);
    }
    for (const trade of event.trades) {
      const before = this.#trades.get(trade.id);
      if (before !== undefined && revisionOf(before) >= revisionOf(trade)) violated(`is told of ${trade.id} again`);
      this.#trades.set(trade.id, trade);
    }
    this.revision = event.revision;
  }

  get isUpToDate(): boolean {
    return this.revision === this.#simulation.servers.database.balances.get(this.customerId)?.revision;
  }

  /** What is shown in the end is what the database says. */
  atEnd(): void {
    const { database } = this.#simulation.servers;
    if (!this.isUpToDate)
      this.#simulation.invariants.violated(`the watcher of ${this.customerId} has stayed at ${this.revision}`);
    for (const trade of database.tradesOf(this.customerId)) {
      const shown = this.#trades.get(trade.id);
      if (shown?.status !== trade.status || shown.price !== trade.price)
        this.#simulation.invariants.violated(`trade ${trade.id} is ${trade.status}, and shown as ${shown?.status}`);
    }
  }
}
