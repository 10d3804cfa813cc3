import type { Trade } from '@stockbroker/trading';
import { waitingTrades } from './decide.ts';
import { type LaneOptions, type LanePorts, type Leadership, Turn } from './turn.ts';
import { WOKEN } from './woken.ts';

const MAX_HELD_WAKEUPS = 64;
/** Between attempts to read, when nothing is known yet. */
const READ_RETRY_MS = 50;

/**
 * One customer's trades, strictly in the order placed and one at a time: the next is sent when the one before is final, so that
 * a buy can spend a sell's proceeds. A lane lives while its customer has open trades, and everything it knows is read from the
 * store at each step: crash it anywhere and another lane goes on from what the database says. See README.md for its states.
 */
export class Lane {
  readonly customerId: string;
  /** Resolves when the lane has nothing left to do, or has stopped. */
  readonly finished: Promise<void>;
  /** Resolves when the lane has taken its first step: sent or ended a trade, or come to wait for something. */
  readonly begun: Promise<void>;
  readonly #hasBegun = Promise.withResolvers<void>();
  readonly #ports: LanePorts;
  readonly #options: LaneOptions;
  readonly #leadership: Leadership;
  readonly #pauses = {
    sleep: (ms: number) => this.#sleep(ms),
    isEnding: () => this.#stopping,
    end: () => {
      this.#stopping = true;
    },
  };
  /** Acknowledgements of the wake-ups that brought trades not final yet, oldest first. */
  #wakeupAcks: (() => void)[] = [];
  #wakeups = 0;
  #stopping = false;
  #sleeping: AbortController | undefined;
  /** Of the trade that the lane is at. */
  #turn: Turn | undefined;

  /** @param onFinished called in the very moment in which the lane stops to take wake-ups */
  constructor(customerId: string, ports: LanePorts, options: LaneOptions, leadership: Leadership, onFinished: () => void) {
    this.customerId = customerId;
    this.#ports = ports;
    this.#options = options;
    this.#leadership = leadership;
    this.begun = this.#hasBegun.promise;
    this.finished = this.#live(onFinished);
  }

  /** A wake-up came; `ack` is called when a trade of this customer has ended for it. */
  wake(ack?: () => void): void {
    this.#wakeups += 1;
    if (ack === undefined) return;
    this.#wakeupAcks.push(ack);
    // The lane lives until no trade is open, however few wake-ups it holds: what is more than the bound needs no holding.
    if (this.#wakeupAcks.length > MAX_HELD_WAKEUPS) this.#wakeupAcks.shift()?.();
  }

  /** A trade of this customer was settled: no need to wait any longer. */
  settled(tradeId: string): void {
    if (this.#turn?.tradeId !== tradeId) return;
    this.#turn.settled();
    this.#sleeping?.abort(WOKEN);
  }

  /** Finishes the step in hand (a marked trade is still submitted while the lease is trusted), starts no other, resolves then. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#sleeping?.abort();
    return this.finished;
  }

  async #live(onFinished: () => void): Promise<void> {
    try {
      await this.#run();
    } finally {
      this.#hasBegun.resolve();
      onFinished();
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      try {
        const wakeupsBefore = this.#wakeups;
        const trade = await this.#ports.store.readOldestOpenTrade({
          customerId: this.customerId,
          partition: this.#leadership.partition,
          waiting: waitingTrades(this.#ports),
        });
        if (this.#stopping) return;
        this.#arriveAt(trade);
        if (trade !== null) await this.#turn?.advance(trade);
        else if (wakeupsBefore === this.#wakeups) return this.#ackAll();
        this.#hasBegun.resolve();
      } catch (error) {
        this.#ports.observe({ kind: 'lane-failed', customerId: this.customerId, error });
        await (this.#turn?.backOff() ?? this.#sleep(READ_RETRY_MS * (0.5 + this.#ports.random.number())));
      }
    }
  }

  /** Being at another trade than before, or at none, means that the one before is final. */
  #arriveAt(trade: Trade | null): void {
    if (this.#turn?.tradeId === trade?.id) return;
    if (this.#turn !== undefined) this.#wakeupAcks.shift()?.();
    this.#turn = trade === null ? undefined : new Turn(trade.id, this.#ports, this.#options, this.#leadership, this.#pauses);
  }

  #ackAll(): void {
    for (const ack of this.#wakeupAcks.splice(0)) ack();
  }

  async #sleep(ms: number): Promise<void> {
    this.#hasBegun.resolve();
    if (this.#stopping) return;
    this.#sleeping = new AbortController();
    await this.#ports.clock.sleep(ms, this.#sleeping.signal);
    this.#sleeping = undefined;
  }
}
