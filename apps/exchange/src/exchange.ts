import { type Order, RejectReason, SubmitOutcome, type SubmitResult } from '@stockbroker/rpc/exchange';
import { Batcher, OverloadedError } from '@stockbroker/runtime';
import { checkOrder, isNextAttempt, isSameOrder } from './checkOrder.ts';
import type { Faults } from './faults.ts';
import type { Journal } from './journal.ts';
import type { Market } from './market.ts';
import { beyondLimit, matchOrder } from './matching.ts';
import type { COMPLETIONS, ExchangeMetrics, OUTCOMES } from './metrics.ts';
import type { CompletedOrder, NewOrder, OrderRecord, Outcome } from './order.ts';
import type { Reports } from './reports.ts';
import { Schedule } from './schedule.ts';

const { SUBMIT_OUTCOME_ACCEPTED: ACCEPTED, SUBMIT_OUTCOME_CONFLICT: CONFLICT, SUBMIT_OUTCOME_INVALID: INVALID } = SubmitOutcome;
/** Submissions in one transaction, and waiting for the next. */
const MAX_BATCH = 32;
const MAX_WAITING = 1_000;

interface ExchangeParts {
  journal: Journal;
  market: Market;
  faults: Faults;
  reports: Reports;
  metrics: ExchangeMetrics;
  /** Orders open at once; more are refused with OverloadedError. */
  maxOpenOrders: number;
}

/** Accepts orders, completes them, and has them reported: each step durable before the next begins. */
export class Exchange {
  readonly #parts: ExchangeParts;
  /** By client order id. */
  readonly #open = new Map<string, OrderRecord>();
  readonly #schedule = new Schedule<OrderRecord>((due) => this.#completeDue(due));
  readonly #batcher: Batcher<NewOrder[], SubmitOutcome[]>;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#batcher = new Batcher({
      name: 'orders',
      maxBatch: MAX_BATCH,
      maxQueue: MAX_WAITING,
      concurrency: 1,
      // A commit blocks the event loop. Whatever has arrived meanwhile is read first, and makes the next batch: the batcher sees to that.
      run: async (submissions) => this.#acceptAll(submissions),
    });
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Takes up the open orders that an earlier process left. */
  resume(): void {
    for (const order of this.#parts.journal.openOrders()) this.#open.set(order.clientOrderId, order);
    this.scheduleOpen();
  }

  /**
   * Accepts orders. When it resolves, the accepted ones are durable.
   *
   * @throws OverloadedError when too many are open, or waiting, or too many callback URLs are in use
   */
  async submit(orders: Order[]): Promise<SubmitResult[]> {
    const { reports, maxOpenOrders, metrics } = this.#parts;
    if (this.#open.size + orders.length > maxOpenOrders) throw new OverloadedError('open orders', 1_000);
    const checked = orders.map((order) => checkOrder(order, (url) => reports.knows(url)));
    const good = checked.filter((order) => typeof order !== 'string');
    reports.admit(new Set(good.map(({ callbackUrl }) => callbackUrl)));
    const outcomes = good.length > 0 ? await this.#batcher.submit(good) : [];

    const rest = outcomes.values();
    return orders.map(({ clientOrderId }, i) => {
      const problem = checked[i];
      const outcome = typeof problem === 'string' ? INVALID : (rest.next().value ?? INVALID);
      metrics.submitted.inc({ outcome: OUTCOME_LABELS[outcome] });
      const message = typeof problem === 'string' ? problem : '';
      return {
        clientOrderId,
        outcome,
        message: outcome === CONFLICT ? 'the id belongs to an order with other content' : message,
      };
    });
  }

  find(clientOrderId: string): OrderRecord | undefined {
    const id = clientOrderId.toLowerCase();
    return this.#open.get(id) ?? this.#parts.journal.find(id);
  }

  /** Completes an open order as told. @returns undefined when it is not open */
  completeByHand(clientOrderId: string, outcome: Outcome): CompletedOrder | undefined {
    const order = this.#open.get(clientOrderId.toLowerCase());
    if (order === undefined) return undefined;
    return this.#complete([order], () => outcome)[0];
  }

  /** Lets every open order complete after its latency; for when manual mode ends. */
  scheduleOpen(): void {
    if (this.#parts.faults.behaviour.manual) return;
    for (const order of this.#open.values()) this.#schedule.add(order, this.#parts.faults.latencyMs());
  }

  /** Finishes the submissions it has; open orders stay for the next process. */
  async close(): Promise<void> {
    this.#schedule.stop();
    await this.#batcher.idle();
  }

  #acceptAll(submissions: NewOrder[][]): SubmitOutcome[][] {
    const accepted: OrderRecord[] = [];
    const outcomes = this.#parts.journal.transaction(() =>
      submissions.map((orders) => orders.map((order) => this.#accept(order, accepted))),
    );
    const { metrics, reports, faults } = this.#parts;
    for (const order of accepted) {
      reports.owe(order);
      if (isCompleted(order)) {
        this.#report(order);
      } else {
        this.#open.set(order.clientOrderId, order);
        if (!faults.behaviour.manual) this.#schedule.add(order, Math.max(1, faults.latencyMs()));
      }
    }
    metrics.acceptBatchSize.observe(accepted.length);
    return outcomes;
  }

  /** Writes a new order to the journal and adds it to `accepted`; without latency it is complete at once, in the same transaction. */
  #accept(order: NewOrder, accepted: OrderRecord[]): SubmitOutcome {
    const { journal, faults } = this.#parts;
    const { manual, latencyMaxMs } = faults.behaviour;
    const outcome = !manual && latencyMaxMs === 0 ? this.#match(order) : undefined;
    const record = journal.insert(order, outcome, Date.now());
    const existing = record === undefined ? journal.find(order.clientOrderId) : undefined;
    if (existing === undefined && record === undefined) return CONFLICT;
    if (existing !== undefined && !isNextAttempt(order, existing)) {
      // What came late of an attempt that is over was taken then.
      return order.attempt < existing.attempt || (order.attempt === existing.attempt && isSameOrder(existing, order))
        ? ACCEPTED
        : CONFLICT;
    }
    accepted.push(record ?? journal.replace(order, outcome, Date.now()));
    return ACCEPTED;
  }

  #match(order: NewOrder): Outcome {
    const { faults, market } = this.#parts;
    if (!faults.strikes('rejectRate')) {
      const outcome = matchOrder(order, market.listing(order.ticker));
      return outcome.filled && faults.strikes('breakLimitRate') ? beyondLimit(order) : outcome;
    }
    return { filled: false, reason: RejectReason.REJECT_REASON_OTHER, message: 'rejected at random' };
  }

  /** An order that was completed by hand meanwhile is no longer open; one that became manual meanwhile stays open. */
  #completeDue(due: OrderRecord[]): void {
    if (this.#parts.faults.behaviour.manual) return;
    const orders = new Set(due.filter((order) => this.#open.has(order.clientOrderId)));
    this.#complete([...orders], (order) => this.#match(order));
  }

  #complete(orders: OrderRecord[], decide: (order: OrderRecord) => Outcome): CompletedOrder[] {
    if (orders.length === 0) return [];
    const { journal } = this.#parts;
    const now = Date.now();
    const completed = journal.transaction(() => orders.map((order) => journal.complete(order, decide(order), now)));
    for (const order of completed) {
      this.#open.delete(order.clientOrderId);
      this.#report(order);
    }
    return completed;
  }

  #report(order: CompletedOrder): void {
    const { outcome } = order.completion;
    this.#parts.metrics.completed.inc({ outcome: outcome.filled ? 'filled' : REASON_LABELS[outcome.reason] });
    this.#parts.reports.report(order);
  }
}

function isCompleted(order: OrderRecord): order is CompletedOrder {
  return order.completion !== undefined;
}

const OUTCOME_LABELS: Record<SubmitOutcome, (typeof OUTCOMES)[number]> = {
  [SubmitOutcome.SUBMIT_OUTCOME_UNSPECIFIED]: 'unspecified',
  [ACCEPTED]: 'accepted',
  [INVALID]: 'invalid',
  [CONFLICT]: 'conflict',
};

const REASON_LABELS: Record<RejectReason, (typeof COMPLETIONS)[number]> = {
  [RejectReason.REJECT_REASON_UNSPECIFIED]: 'other',
  [RejectReason.REJECT_REASON_UNKNOWN_TICKER]: 'unknown_ticker',
  [RejectReason.REJECT_REASON_HALTED]: 'halted',
  [RejectReason.REJECT_REASON_LIMIT_EXCEEDED]: 'limit_exceeded',
  [RejectReason.REJECT_REASON_MARKET_CLOSED]: 'market_closed',
  [RejectReason.REJECT_REASON_OTHER]: 'other',
};
