import type { OrderReport, Trade } from '@stockbroker/trading';
import { type DecidePorts, decide, waitingTrades } from './decide.ts';
import { ExchangeInDoubtError, type ExecutingStore, type Observe, type Random, type Wakeups } from './ports.ts';
import { quarantineReport, type SettlePorts, settleReport } from './settleReport.ts';
import { WOKEN } from './woken.ts';

export interface LanePorts extends DecidePorts, SettlePorts {
  clock: DecidePorts['clock'];
  store: ExecutingStore & SettlePorts['store'];
  wakeups: Pick<Wakeups, 'tradeMarked' | 'tradeSettled'>;
  random: Random;
  observe: Observe;
}

export interface LaneOptions {
  /** A placed trade that could never be sent is rejected EXCHANGE_UNAVAILABLE at this age. */
  maxPlacedAgeMs: number;
  /** How long an executed trade may be without news before the exchange is asked; doubled each time, up to 32 times. */
  askAfterMs: number;
  /** Longest wait between attempts while something is down. */
  maxRetryMs: number;
}

/** Under which leadership of the partition a lane works. */
export interface Leadership {
  partition: number;
  epoch: bigint;
  /** False once the lease may have passed to another: then nothing may be sent. */
  isTrusted(): boolean;
  /** Told when the database says that another worker has taken over. */
  fenced(): void;
}

const RETRY_BASE_MS = 50;
const MAX_HELD_WAKEUPS = 64;

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
  /** Acknowledgements of the wake-ups that brought trades not final yet, oldest first. */
  #wakeupAcks: (() => void)[] = [];
  #wakeups = 0;
  #stopping = false;
  /** The last trade heard to be settled, in case the news is faster than the answer to the submission. */
  #settledTradeId: string | undefined;
  #sleeping: AbortController | undefined;
  /** The trade that the lane is at, how often in a row it could not go on, and how often it has waited for news in vain. */
  #current: { tradeId: string; attempts: number; waits: number } | undefined;

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
    this.#settledTradeId = tradeId;
    if (this.#current?.tradeId === tradeId) this.#sleeping?.abort(WOKEN);
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
        if (trade !== null) await this.#advance(trade);
        else if (wakeupsBefore === this.#wakeups) return this.#ackAll();
        this.#hasBegun.resolve();
      } catch (error) {
        this.#ports.observe({ kind: 'lane-failed', customerId: this.customerId, error });
        await this.#backOff();
      }
    }
  }

  /** Being at another trade than before, or at none, means that the one before is final. */
  #arriveAt(trade: Trade | null): void {
    if (this.#current?.tradeId === trade?.id) return;
    if (this.#current !== undefined) this.#wakeupAcks.shift()?.();
    this.#current = trade === null ? undefined : { tradeId: trade.id, attempts: 0, waits: 0 };
  }

  #ackAll(): void {
    for (const ack of this.#wakeupAcks.splice(0)) ack();
  }

  async #advance(trade: Trade): Promise<void> {
    if (!this.#leadership.isTrusted()) {
      await this.#backOff();
    } else if (trade.status === 'placed') {
      await this.#execute(trade);
    } else {
      await this.#resolve(trade);
    }
  }

  /** placed → executed and sent, or rejected. */
  async #execute(trade: Trade): Promise<void> {
    const decision = await decide(this.#ports, trade, this.#options.maxPlacedAgeMs);
    if (decision === 'wait') return this.#backOff();
    if (this.#stopping || !this.#leadership.isTrusted()) return;
    const result = await this.#ports.store.markExecuted({ trade, epoch: this.#leadership.epoch, decision });
    switch (result.kind) {
      case 'marked':
        this.#ports.wakeups.tradeMarked(result.trade);
        if (result.trade.status === 'executed') {
          this.#ports.observe({ kind: 'executed', trade: result.trade });
          await this.#submit(result.trade);
        } else {
          this.#ports.observe({ kind: 'refused', trade: result.trade });
        }
        return;
      case 'stale':
        return this.#backOff();
      case 'fenced':
        this.#stopping = true;
        this.#leadership.fenced();
    }
  }

  /** Only ever called for a trade that the database has as executed: mark, then send. */
  async #submit(trade: Trade): Promise<void> {
    if (!this.#leadership.isTrusted()) return;
    try {
      const answer = await this.#ports.exchange.submitOrder(trade);
      this.#ports.observe({ kind: 'submitted', trade });
      if (answer.kind === 'accepted') {
        await this.#awaitSettlement(trade);
      } else if (answer.kind === 'invalid') {
        await this.#settle(neverAnOrder(trade, answer.message, this.#ports.clock.now()));
      } else {
        await quarantineReport(
          this.#ports,
          trade.id,
          'the exchange has another order under this id',
          Buffer.from(answer.message),
        );
        await this.#awaitSettlement(trade);
      }
    } catch (error) {
      if (!(error instanceof ExchangeInDoubtError)) throw error;
      this.#ports.observe({ kind: 'in-doubt', trade, error });
      await this.#backOff();
    }
  }

  /** An executed trade without news: whatever was or was not sent, the exchange knows. */
  async #resolve(trade: Trade): Promise<void> {
    try {
      const found = await this.#ports.exchange.findOrder(trade.id);
      if (this.#stopping) return;
      if (found === 'unknown') {
        this.#ports.observe({ kind: 'resubmitted', trade });
        await this.#submit(trade);
      } else if (found === 'open') {
        await this.#awaitSettlement(trade);
      } else {
        await this.#settle(found);
      }
    } catch (error) {
      if (!(error instanceof ExchangeInDoubtError)) throw error;
      this.#ports.observe({ kind: 'in-doubt', trade, error });
      await this.#backOff();
    }
  }

  /** The same statement as for a callback. */
  async #settle(report: OrderReport): Promise<void> {
    const json = JSON.stringify(report, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
    // A quarantined report leaves the trade open, and the exchange would only say the same again.
    if ((await settleReport(this.#ports, report, Buffer.from(json))) === 'quarantined') await this.#backOff();
  }

  /** The exchange has the order and answers: what failed before says nothing about how long the news will take. */
  async #awaitSettlement(trade: Trade): Promise<void> {
    const current = this.#current;
    const waits = current?.waits ?? 0;
    if (current !== undefined) Object.assign(current, { attempts: 0, waits: waits + 1 });
    if (this.#settledTradeId === trade.id) return;
    await this.#sleep(this.#options.askAfterMs * 2 ** Math.min(waits, 5));
  }

  async #backOff(): Promise<void> {
    const attempts = this.#current?.attempts ?? 0;
    if (this.#current !== undefined) this.#current.attempts += 1;
    const ceiling = Math.min(this.#options.maxRetryMs, RETRY_BASE_MS * 2 ** Math.min(attempts, 20));
    await this.#sleep(RETRY_BASE_MS / 2 + this.#ports.random.number() * ceiling);
  }

  async #sleep(ms: number): Promise<void> {
    this.#hasBegun.resolve();
    if (this.#stopping) return;
    this.#sleeping = new AbortController();
    await this.#ports.clock.sleep(ms, this.#sleeping.signal);
    this.#sleeping = undefined;
  }
}

function neverAnOrder(trade: Trade, message: string, nowMs: number): OrderReport {
  const { id: tradeId, stockTicker, type, quantity } = trade;
  const refusal = { code: 'EXCHANGE_REJECTED', message } as const;
  return { tradeId, stockTicker, type, quantity, outcome: { kind: 'rejected', refusal, executedAt: new Date(nowMs) } };
}
