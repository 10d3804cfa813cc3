import type { OrderReport, Trade } from '@stockbroker/trading';
import { type DecideLimits, type DecidePorts, decide, maySend } from './decide.ts';
import {
  type Decision,
  type Exchange,
  ExchangeInDoubtError,
  type ExecutingStore,
  type MarkResult,
  type Observe,
  type Random,
  StoreRefusedError,
  type Wakeups,
} from './ports.ts';
import { mayHaveBeenSent, neverAnOrder, unlessKnown } from './recall.ts';
import { quarantineReport, type SettlePorts, settleReport } from './settleReport.ts';

export interface LanePorts extends DecidePorts, SettlePorts {
  clock: DecidePorts['clock'];
  store: ExecutingStore & SettlePorts['store'];
  exchange: Exchange;
  wakeups: Pick<Wakeups, 'tradeMarked' | 'tradeSettled'>;
  random: Random;
  observe: Observe;
}

export interface LaneOptions extends DecideLimits {
  /** An executed trade that the exchange does not have is sent again up to this age of its mark. */
  maxResendAgeMs: number;
  /**
   * How long an executed trade may be without news before the database is looked at, so that news that were lost cost no more; and the
   * exchange is asked, then rarer, down to each fourth time.
   */
  askAfterMs: number;
  /** Longest wait between attempts while something is down. */
  maxRetryMs: number;
}

/** Under which leadership of the partition a lane works. */
export interface Leadership {
  partition: number;
  epoch: bigint;
  /** When it began, by the database's clock. */
  since: Date;
  /** False once the lease may have passed to another: then nothing may be sent. */
  isTrusted(): boolean;
  /** Told when the database says that another worker has taken over. */
  fenced(): void;
}

/** The lane's sleep and its end. */
export interface Pauses {
  /** Resolves early when the trade is heard to be settled, and at once when the lane stops. */
  sleep(ms: number): Promise<void>;
  isEnding(): boolean;
  end(): void;
}

const RETRY_BASE_MS = 50;
/** Looks at the database for one question to the exchange, at most: 1, 2, 4, as it leaves an order open. */
const MAX_LOOKS_DOUBLED = 2;
/** A trade that is held is looked at this many times as rarely. */
const HELD_LOOKS = 4;

/** A trade while it is its customer's oldest: everything else that is known of it is in the database. See README.md for its states. */
export class Turn {
  readonly tradeId: string;
  readonly #ports: LanePorts;
  readonly #options: LaneOptions;
  readonly #leadership: Leadership;
  readonly #pauses: Pauses;
  /** How often in a row it could not go on. */
  #attempts = 0;
  /** How often the exchange has left the order open. */
  #waits = 0;
  /** Looks at the database until the exchange is asked again. */
  #looks = 1;
  /** News came that it is settled, perhaps before the answer to its submission. */
  #isHeard = false;
  /** The exchange was asked whether it has the placed trade already. */
  #asked = false;
  /** What the exchange has of it, until its turn to be adopted comes. */
  #adoption: Decision | undefined;
  /** What was decided while the exchange was away, and binds when it says that it has no such order. */
  #overdue: Decision | undefined;
  #isHeld = false;

  constructor(tradeId: string, ports: LanePorts, options: LaneOptions, leadership: Leadership, pauses: Pauses) {
    this.tradeId = tradeId;
    this.#ports = ports;
    this.#options = options;
    this.#leadership = leadership;
    this.#pauses = pauses;
  }

  settled(): void {
    this.#isHeard = true;
  }

  /** Goes on as far as it can, then waits for what must come; the trade is read again for the next call. */
  async advance(trade: Trade): Promise<void> {
    if (!this.#leadership.isTrusted()) return this.backOff();
    try {
      if (trade.status === 'placed') await this.#execute(trade);
      else await this.#resolve(trade);
    } catch (error) {
      // It would be refused for ever.
      if (!(error instanceof StoreRefusedError)) throw error;
      await this.#hold(trade, 'the database refuses its figures', error);
    }
  }

  /** placed → executed and sent, or rejected. */
  async #execute(trade: Trade): Promise<void> {
    const decided = await decide(this.#ports, trade, this.#options);
    const decision = decided === 'wait' ? 'wait' : await this.#onceAsked(trade, decided);
    if (decision === 'wait') return this.backOff();
    if (this.#pauses.isEnding() || !this.#leadership.isTrusted()) return;
    const result = await this.#mark(trade, decision);
    if (result.kind === 'marked') await this.#goOn(result.trade, decision);
    else if (result.kind === 'stale') await this.#beStale(trade, decision);
  }

  async #mark(trade: Trade, decision: Decision): Promise<MarkResult> {
    const result = await this.#ports.store.markExecuted({ trade, epoch: this.#leadership.epoch, decision });
    if (result.kind === 'marked') {
      this.#ports.wakeups.tradeMarked(result.trade);
    } else if (result.kind === 'fenced') {
      this.#pauses.end();
      this.#leadership.fenced();
    }
    return result;
  }

  async #goOn(trade: Trade, decision: Decision): Promise<void> {
    if (trade.status !== 'executed') return this.#ports.observe({ kind: 'refused', trade });
    this.#ports.observe({ kind: 'adopt' in decision ? 'adopted' : 'executed', trade });
    if ('adopt' in decision) return; // The next turn asks what has become of it.
    if (!this.#leadership.isTrusted()) return;
    const { hours, clock } = this.#ports;
    if (hours.at(clock.now()).isOpen) return this.#submit(trade);
    // The session has ended since it was decided. Nothing of it has left, for certain.
    await this.#settle(neverAnOrder(trade, { code: 'MARKET_CLOSED' }, clock.now()));
  }

  /** Before it is decided about a trade that an earlier leadership may have sent: see mayHaveBeenSent. */
  async #onceAsked(trade: Trade, decision: Decision): Promise<Decision | 'wait'> {
    if (this.#adoption !== undefined) return this.#adoption;
    if (this.#asked || !mayHaveBeenSent(this.#ports.hours, trade, this.#leadership.since)) return decision;
    try {
      const answer = await unlessKnown(this.#ports.exchange, trade, this.#overdue ?? decision);
      this.#asked = true;
      if ('adopt' in answer) this.#adoption = answer;
      return answer;
    } catch (error) {
      if (!(error instanceof ExchangeInDoubtError)) throw error;
      if ('refusal' in decision && decision.refusal.code === 'EXCHANGE_UNAVAILABLE') this.#overdue = decision;
      return 'wait';
    }
  }

  /** The trade is not the oldest, or not placed any more; or what the exchange has of it cannot be adopted. */
  async #beStale(trade: Trade, decision: Decision): Promise<void> {
    const { customerId, partition } = trade;
    const oldest = await this.#ports.store.readOldestOpenTrade({ customerId, partition, waiting: 'counted' });
    const isOldest = oldest?.id === trade.id && oldest.status === 'placed';
    if (isOldest && 'adopt' in decision) return this.#hold(trade, 'the exchange has its order, and the shares are not there');
    // Behind one that the exchange has sent back today; what did not ask to wait is too late, as it is outside the session.
    const isTooLate = oldest?.status === 'placed' && oldest.queueForOpen && oldest.seq < trade.seq && !trade.queueForOpen;
    // What the exchange has is adopted when its turn comes, and never refused.
    if (isTooLate && !('adopt' in decision) && this.#leadership.isTrusted()) {
      const result = await this.#mark(trade, { refusal: { code: 'MARKET_CLOSED' } });
      if (result.kind === 'marked') return this.#ports.observe({ kind: 'refused', trade: result.trade });
    }
    await this.backOff();
  }

  /** Only ever called for a trade that the database has as executed: mark, then send. */
  async #submit(trade: Trade): Promise<void> {
    if (!this.#leadership.isTrusted()) return;
    try {
      const answer = await this.#ports.exchange.submitOrder(trade);
      this.#ports.observe({ kind: 'submitted', trade });
      if (answer.kind === 'accepted') {
        await this.#awaitSettlement();
      } else if (answer.kind === 'invalid') {
        await this.#believeInvalid(trade, answer.message);
      } else {
        await quarantineReport(
          this.#ports,
          trade.id,
          'the exchange has another order under this id',
          Buffer.from(answer.message),
        );
        await this.#awaitSettlement();
      }
    } catch (error) {
      if (!(error instanceof ExchangeInDoubtError)) throw error;
      this.#ports.observe({ kind: 'in-doubt', trade, error });
      await this.backOff();
    }
  }

  /** It may be refused for being the second: an earlier submission has arrived since, or another leader sent it during a pause of ours. */
  async #believeInvalid(trade: Trade, message: string): Promise<void> {
    if ((await this.#find(trade)) !== 'unknown') return;
    await this.#settle(neverAnOrder(trade, { code: 'EXCHANGE_REJECTED', message }, this.#ports.clock.now()));
  }

  /** What the exchange knows of the trade's present attempt. */
  async #find(trade: Trade): Promise<OrderReport | 'open' | 'unknown'> {
    const found = await this.#ports.exchange.findOrder(trade.id);
    return typeof found === 'object' && (found.attempt ?? 0) < trade.attempt ? 'unknown' : found;
  }

  /** An executed trade without news: whatever was or was not sent, the exchange knows. */
  async #resolve(trade: Trade): Promise<void> {
    if (this.#looks > 1) {
      this.#looks -= 1;
      return this.#pauses.sleep(this.#options.askAfterMs);
    }
    try {
      const found = await this.#find(trade);
      if (this.#pauses.isEnding()) return;
      if (found === 'unknown') {
        await this.#sendAgain(trade);
      } else if (found === 'open') {
        await this.#awaitSettlement();
      } else {
        await this.#settle(found);
      }
    } catch (error) {
      if (!(error instanceof ExchangeInDoubtError)) throw error;
      this.#ports.observe({ kind: 'in-doubt', trade, error });
      await this.backOff();
    }
  }

  /** A submission may still be on its way, so that the trade cannot be ended; and past its time it must not be sent. */
  async #sendAgain(trade: Trade): Promise<void> {
    if (!maySend(this.#ports, trade, this.#options.maxResendAgeMs))
      return this.#hold(trade, 'marked executed, not at the exchange, and too late to be sent');
    this.#ports.observe({ kind: 'resubmitted', trade });
    await this.#submit(trade);
  }

  /** The same statement as for a callback. */
  async #settle(report: OrderReport): Promise<void> {
    const json = JSON.stringify(report, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
    // A quarantined report leaves the trade open, and the exchange would only say the same again. That it is kept is an alert.
    if ((await settleReport(this.#ports, report, Buffer.from(json))) === 'quarantined') await this.#sleepHeld();
  }

  /** The exchange has the order and answers: what failed before says nothing about how long the news will take. */
  async #awaitSettlement(): Promise<void> {
    const isHeard = this.#isHeard;
    this.#isHeard = false;
    this.#attempts = 0;
    this.#looks = isHeard ? 1 : 2 ** Math.min(this.#waits, MAX_LOOKS_DOUBLED);
    this.#waits += 1;
    if (!isHeard) await this.#pauses.sleep(this.#options.askAfterMs);
  }

  /** Neither sent nor ended any more, and the customer's later trades wait: an operator must look. What the exchange reports settles it. */
  async #hold(trade: Trade, why: string, error?: unknown): Promise<void> {
    if (!this.#isHeld) this.#ports.observe({ kind: 'held', trade, why, ...(error === undefined ? {} : { error }) });
    this.#isHeld = true;
    await this.#sleepHeld();
  }

  #sleepHeld(): Promise<void> {
    return this.#pauses.sleep(this.#options.askAfterMs * HELD_LOOKS);
  }

  async backOff(): Promise<void> {
    const ceiling = Math.min(this.#options.maxRetryMs, RETRY_BASE_MS * 2 ** Math.min(this.#attempts, 20));
    this.#attempts += 1;
    await this.#pauses.sleep(RETRY_BASE_MS / 2 + this.#ports.random.number() * ceiling);
  }
}
