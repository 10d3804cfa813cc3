import type { Bus, Subscribed } from '@stockbroker/bus';
import type { ElectorEvents, Term } from '@stockbroker/lease';
import { backoffMs } from '@stockbroker/runtime';
import type { Store } from '@stockbroker/store';
import {
  type FlowLog,
  type LanePorts,
  type LeaderOptions,
  Pace,
  PartitionLeader,
  readOpenCustomers,
} from '@stockbroker/trade-flow';
import { isUuid } from '@stockbroker/trading';

export interface LeadPorts {
  workerId: string;
  store: Pick<Store, 'raiseEpoch'>;
  bus: Pick<Bus, 'onSettled' | 'onWakeup'>;
  lanePorts: LanePorts;
  options: LeaderOptions;
  log: FlowLog;
  /** Gives up a term that the database has ended. */
  resign: (term: Term) => void;
}

/**
 * Work in hand usually takes milliseconds. When it takes longer, e.g. because the exchange does not answer, the partition does not
 * wait: the next leader's epoch fences what is left, and an order that both send is one order.
 */
const HAND_OVER_MS = 50;

interface Led {
  term: Term;
  /** When it was elected, by the wall clock. */
  sinceMs: number;
  /** Why the last attempt to begin has failed. */
  problem: string;
  /** Resolves when the partition is led, or will not be. */
  started: Promise<void>;
  /** The epoch as it is being raised; never rejects. */
  raising: Promise<unknown>;
  stopping: boolean;
  leader: PartitionLeader | undefined;
  subscriptions: Subscribed[];
}

/** Turns terms won in elections into partitions led: fence in the database first, then open trades, then wake-ups. */
export class LedPartitions implements ElectorEvents {
  readonly #ports: LeadPorts;
  readonly #led = new Map<number, Led>();
  readonly #ending = new Set<Promise<void>>();
  readonly #pace: Pace;

  constructor(ports: LeadPorts) {
    this.#ports = ports;
    this.#pace = new Pace(ports.options.maxStarting);
  }

  get count(): number {
    return this.#led.size;
  }

  /** Partitions whose lease this worker has had for longer than that, without leading them. */
  notBegun(longerThanMs: number): { partitions: number[]; why: string } {
    const beforeMs = this.#ports.lanePorts.clock.now() - longerThanMs;
    const waiting = [...this.#led.values()].filter((led) => led.leader === undefined && led.sinceMs < beforeMs);
    return { partitions: waiting.map(({ term }) => term.partition), why: waiting[0]?.problem ?? '' };
  }

  get lanes(): number {
    let lanes = 0;
    for (const { leader } of this.#led.values()) lanes += leader?.lanes ?? 0;
    return lanes;
  }

  elected(term: Term): void {
    const nothing = Promise.resolve();
    const led: Led = {
      term,
      sinceMs: this.#ports.lanePorts.clock.now(),
      problem: 'the database has not answered yet',
      started: nothing,
      raising: nothing,
      stopping: false,
      leader: undefined,
      subscriptions: [],
    };
    this.#led.set(term.partition, led);
    led.started = this.#start(led);
  }

  lost(term: Term): void {
    this.#ports.log.warn({ partition: term.partition }, 'lease lost');
    const ending = this.#end(term).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async handOver(term: Term): Promise<void> {
    this.#ports.log.debug({ partition: term.partition }, 'hands over');
    const raising = this.#led.get(term.partition)?.raising;
    const ended = new AbortController();
    const ending = this.#end(term).finally(() => {
      this.#ending.delete(ending);
      ended.abort();
    });
    this.#ending.add(ending);
    // Raised after the next leader's, the epoch would fence that one off.
    await raising;
    await this.#ports.lanePorts.clock.sleep(HAND_OVER_MS, ended.signal);
    this.#ports.log.debug({ partition: term.partition }, 'handed over');
  }

  problem(message: string, error: unknown): void {
    this.#ports.log.debug({ err: error }, message);
  }

  /** Looks in the database for open trades that no lane works on, in all partitions led. One statement serves them all. */
  async sweep(): Promise<void> {
    await Promise.all([...this.#led.values()].map(({ leader }) => leader?.sweep()));
  }

  /** Resolves when nothing that was begun under a lease given up or lost is still running. */
  async ended(): Promise<void> {
    await Promise.all(this.#ending);
  }

  async #start(led: Led): Promise<void> {
    const { term } = led;
    const { partition } = term;
    const { workerId, store, bus, log, lanePorts, options } = this.#ports;
    const { clock, random } = lanePorts;
    for (let failures = 0; !led.stopping && term.isTrusted(); failures += 1) {
      try {
        const raised = store.raiseEpoch(partition, workerId);
        led.raising = raised.catch(() => {});
        // Read while the epoch is raised: what is placed after the reading wakes the partition.
        const [{ epoch, since }, customers] = await Promise.all([
          raised,
          readOpenCustomers(lanePorts, partition, options.maxLanes),
        ]);
        if (led.stopping) return;
        const leadership = {
          partition,
          epoch,
          since,
          isTrusted: () => term.isTrusted(),
          fenced: () => this.#ports.resign(term),
        };
        const leader = new PartitionLeader(lanePorts, options, leadership, this.#pace);
        led.leader = leader;
        led.subscriptions.push(bus.onSettled(partition, (customerId, tradeId) => leader.settled(customerId, tradeId)));
        leader.begin(customers);
        led.subscriptions.push(bus.onWakeup(partition, (customerId, ack) => this.#wake(leader, customerId, ack)));
        log.debug({ partition, epoch: String(epoch) }, 'leads');
        return;
      } catch (error) {
        led.problem = error instanceof Error ? error.message : String(error);
        log.warn({ err: error, partition }, 'cannot lead yet');
        if (led.stopping) return;
        await clock.sleep(backoffMs(failures, random.number(), { maxMs: 1_000 }));
      }
    }
  }

  /** What names no customer would only be refused by the database, again and again: it is dropped. */
  #wake(leader: PartitionLeader, customerId: string, ack: () => void): void {
    if (isUuid(customerId)) {
      leader.wake(customerId, ack);
    } else {
      this.#ports.log.warn({ bytes: Buffer.byteLength(customerId) }, 'a wake-up that names no customer was dropped');
      ack();
    }
  }

  async #end(term: Term): Promise<void> {
    const led = this.#led.get(term.partition);
    if (led?.term !== term) return;
    led.stopping = true;
    this.#led.delete(term.partition);
    await led.started;
    await Promise.all([led.leader?.stop(), ...led.subscriptions.map((subscription) => subscription.stop())]);
  }
}
