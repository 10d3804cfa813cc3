import { setTimeout as delay } from 'node:timers/promises';
import { retrying } from '@stockbroker/client';
import type { CallOptions } from '@stockbroker/rpc';
import { type Trade, TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
import { reasonOf } from '@stockbroker/runtime';
import type { Order, Plan } from './demoPlan.ts';
import { rejectCodeOf } from './printTrades.ts';
import type { TradingClient } from './tradeClient.ts';

/** Trades of one customer that are placed and not ended; it places no more before one ends. */
const MOST_OPEN = 6;
/** How often a customer asks for its oldest open trade, at most; with many customers less often, so that asking stays cheap. */
const POLL_MS = 250;
const MOST_POLLS_PER_SECOND = 400;
/** A sampled trade is asked for this often, later after each twentieth of its age, so that its end is seen when it happens. */
const CLOSE_POLL_MS = 20;
const MOST_SAMPLES = 200;
const ATTEMPT_MS = 10_000;
const BACKOFF = { baseMs: 100, maxMs: 2_000 };

/** What the clients have seen. */
export class Sightings {
  placed = 0;
  filled = 0;
  /** Calls that were repeated. */
  repeated = 0;
  readonly rejected: Record<string, number> = {};
  /** Calls that failed for good, in words. */
  readonly failures: string[] = [];
  readonly placeMs: number[] = [];
  /** From calling PlaceTrade to seeing the end, of sampled trades. */
  readonly endedMs: number[] = [];
  readonly startedAt = performance.now();
  /** When a trade was last placed, and when one last ended. */
  placedAt = this.startedAt;
  endedAt = this.startedAt;

  get ended(): number {
    return this.filled + Object.values(this.rejected).reduce((sum, count) => sum + count, 0);
  }

  end(trade: Trade): void {
    this.endedAt = performance.now();
    if (trade.status === TradeStatus.TRADE_STATUS_FILLED) this.filled += 1;
    else this.rejected[rejectCodeOf(trade)] = (this.rejected[rejectCodeOf(trade)] ?? 0) + 1;
  }
}

export interface TraderOptions {
  plan: Plan;
  client: TradingClient;
  token: string;
  seen: Sightings;
  pollMs: number;
  /** One in so many trades is watched closely. */
  sampleEvery: number;
  /** When no trade is placed and none ends for this long, time is up. */
  stalledMs: number;
  isStopped: () => boolean;
}

export function pollRate(customers: number, trades: number): Pick<TraderOptions, 'pollMs' | 'sampleEvery'> {
  return {
    pollMs: Math.max(POLL_MS, (1_000 * customers) / MOST_POLLS_PER_SECOND),
    sampleEvery: Math.max(10, Math.ceil(trades / MOST_SAMPLES)),
  };
}

/** One customer as a client program: places its orders, a few open at a time, and waits until each has ended. */
export class Trader {
  readonly #options: TraderOptions;
  readonly #headers: { authorization: string };
  readonly #open = new Set<string>();
  #oneEnded = Promise.withResolvers<void>();
  #allPlaced = false;

  constructor(options: TraderOptions) {
    this.#options = options;
    this.#headers = { authorization: `Bearer ${options.token}` };
  }

  /** Resolves when every trade has ended, or when time is up. */
  async run(): Promise<void> {
    await Promise.all([this.#placeAll(), this.#watchAll()]);
  }

  async #placeAll(): Promise<void> {
    const samples: Promise<void>[] = [];
    for (const order of this.#options.plan.orders) {
      while (this.#open.size >= MOST_OPEN && !this.#isOver()) await Promise.race([this.#oneEnded.promise, delay(POLL_MS)]);
      if (this.#isOver()) break;
      try {
        const startedAt = performance.now();
        const { orderId } = await this.#place(order);
        const { seen } = this.#options;
        seen.placedAt = performance.now();
        seen.placeMs.push(seen.placedAt - startedAt);
        this.#open.add(orderId);
        if (seen.placed % this.#options.sampleEvery === 0) samples.push(this.#watchClosely(orderId, startedAt));
        seen.placed += 1;
      } catch (error) {
        this.#options.seen.failures.push(`${order.clientOrderId}: ${reasonOf(error)}`);
      }
    }
    this.#allPlaced = true;
    await Promise.all(samples);
  }

  /** However often it is repeated, the client order id makes it one trade. */
  #place({ clientOrderId, stockTicker, isBuy, quantity }: Order): Promise<Trade> {
    const type = isBuy ? TradeType.TRADE_TYPE_BUY : TradeType.TRADE_TYPE_SELL;
    return this.#call((options) => this.#options.client.placeTrade({ clientOrderId, stockTicker, type, quantity }, options));
  }

  async #watchAll(): Promise<void> {
    while (!this.#isOver() && !(this.#allPlaced && this.#open.size === 0)) {
      await delay(this.#options.pollMs * (0.75 + Math.random() / 2));
      // Trades end in the order placed: while the oldest one is open, so are all.
      for (const orderId of this.#open) if (!(await this.#hasEnded(orderId))) break;
    }
  }

  async #watchClosely(orderId: string, startedAt: number): Promise<void> {
    for (let waitedMs = 0; !this.#isOver(); waitedMs = performance.now() - startedAt) {
      await delay(Math.max(CLOSE_POLL_MS, waitedMs / 20));
      if (!(await this.#hasEnded(orderId))) continue;
      this.#options.seen.endedMs.push(performance.now() - startedAt);
      return;
    }
  }

  /** False also when it cannot be known now: it is asked for again, until time is up. */
  async #hasEnded(orderId: string): Promise<boolean> {
    try {
      const trade = await this.#call((options) => this.#options.client.getTrade({ orderId }, options));
      this.#note(trade);
      return trade.status >= TradeStatus.TRADE_STATUS_FILLED;
    } catch {
      return false;
    }
  }

  #note(trade: Trade): void {
    if (trade.status < TradeStatus.TRADE_STATUS_FILLED || !this.#open.delete(trade.orderId)) return;
    this.#options.seen.end(trade);
    this.#oneEnded.resolve();
    this.#oneEnded = Promise.withResolvers<void>();
  }

  #call<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    const { stalledMs, seen } = this.#options;
    const onRetry = () => {
      seen.repeated += 1;
    };
    const retry = { timeoutMs: stalledMs, attemptTimeoutMs: ATTEMPT_MS, backoff: BACKOFF, onRetry };
    return retrying((options) => call({ ...options, headers: this.#headers }), retry);
  }

  #isOver(): boolean {
    const { isStopped, seen, stalledMs } = this.#options;
    return isStopped() || performance.now() > Math.max(seen.placedAt, seen.endedAt) + stalledMs;
  }
}
