import { waitingTrades } from './decide.ts';
import { Lane } from './lane.ts';
import type { Pace, Starter } from './pace.ts';
import type { LaneOptions, LanePorts, Leadership } from './turn.ts';

export interface LeaderOptions extends LaneOptions {
  /** Customers worked on at once in one partition. More wait in the database, and a sweep finds them. */
  maxLanes: number;
  /** Lanes that start at once in a process, in all its partitions, without a wake-up. */
  maxStarting: number;
}

/** Customers of the partition with trades to be worked on now, those with the oldest first. */
export function readOpenCustomers(ports: LanePorts, partition: number, limit: number): Promise<string[]> {
  return ports.store.readOpenCustomers({ partition, limit, waiting: waitingTrades(ports) });
}

/**
 * A worker's leadership of one partition: a lane for each customer with open trades. Wake-ups start lanes at once; the sweep
 * finds in the database what no wake-up told of.
 */
export class PartitionLeader implements Starter {
  readonly #ports: LanePorts;
  readonly #options: LeaderOptions;
  readonly #leadership: Leadership;
  readonly #pace: Pace;
  readonly #lanes = new Map<string, Lane>();
  /** Customers whose lanes are to start, those with the oldest trades first. */
  #toStart: Iterator<string> = [].values();
  #stopping = false;

  /** @param pace of the process */
  constructor(ports: LanePorts, options: LeaderOptions, leadership: Leadership, pace: Pace) {
    this.#ports = ports;
    this.#options = options;
    this.#leadership = leadership;
    this.#pace = pace;
  }

  get lanes(): number {
    return this.#lanes.size;
  }

  /** A customer may have a new trade. `ack` is called when one of the customer's trades has ended for it. */
  wake(customerId: string, ack?: () => void): void {
    if (this.#stopping) return;
    const lane = this.#lanes.get(customerId);
    if (lane !== undefined) {
      lane.wake(ack);
    } else if (this.#lanes.size < this.#options.maxLanes) {
      this.#open(customerId).wake(ack);
    } else {
      ack?.(); // The trade is in the database, a sweep will find it.
    }
  }

  /** A trade was settled by a callback. */
  settled(customerId: string, tradeId: string): void {
    this.#lanes.get(customerId)?.settled(tradeId);
  }

  /** Opens a lane for each customer with open trades that has none: at the start of a leadership, and regularly after. */
  async sweep(): Promise<void> {
    const room = this.#options.maxLanes - this.#lanes.size;
    if (this.#stopping || room <= 0) return;
    this.begin(await readOpenCustomers(this.#ports, this.#leadership.partition, this.#options.maxLanes));
  }

  /** Opens lanes for these customers, at the process's pace and as far as there is room; those given before are forgotten. */
  begin(customers: readonly string[]): void {
    this.#toStart = customers.values();
    this.#pace.join(this);
  }

  startNext(): Promise<void> | undefined {
    for (let next = this.#toStart.next(); next.done !== true; next = this.#toStart.next()) {
      if (this.#stopping || this.#lanes.size >= this.#options.maxLanes) return undefined;
      if (!this.#lanes.has(next.value)) return this.#open(next.value).begun;
    }
    return undefined;
  }

  /** Lets every lane finish the step in hand and starts nothing more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop()));
  }

  #open(customerId: string): Lane {
    const lane = new Lane(customerId, this.#ports, this.#options, this.#leadership, () => this.#lanes.delete(customerId));
    this.#lanes.set(customerId, lane);
    return lane;
  }
}
