import type { KnownOrder, QuoteAnswer, SubmitAnswer } from '@stockbroker/trade-flow';
import type { OrderReport, Quote, Trade } from '@stockbroker/trading';

/** What the exchange does with orders; also how it breaks its promises. */
export interface Behaviour {
  /** How long an order takes at most. */
  latencyMs: number;
  rejectRate: number;
  /** Reports sent twice, never sent, held back for seconds, or followed by one that contradicts them. */
  duplicateRate: number;
  dropRate: number;
  lateRate: number;
  conflictRate: number;
  /** Fills of buys above their limit, of sells below it. */
  beyondLimitRate: number;
  /** Orders of which a fill is reported first that is another order's. */
  repeatedIdRate: number;
}

export const HONEST: Behaviour = {
  latencyMs: 100,
  rejectRate: 0.05,
  duplicateRate: 0,
  dropRate: 0,
  lateRate: 0,
  conflictRate: 0,
  beyondLimitRate: 0,
  repeatedIdRate: 0,
};

export interface ExchangeOrder {
  readonly trade: Trade;
  /** Undefined while it is open. */
  report: OrderReport | undefined;
}

/** What the exchange decides, and when; its time and its choices come from outside. */
export interface ExchangeWorld {
  now(): number;
  /** Whether the venue trades now, by a calendar of its own. */
  isOpen(): boolean;
  /** Whether an order that was taken is called malformed when it is submitted again: a venue that checks the id's use with the form. */
  refusesRepeats: boolean;
  /** Whether the broker has booked an execution: an id that is repeated before that is the first that the broker hears of. */
  isBooked(executionId: string): boolean;
  /** In [0, 1). */
  random(): number;
  after(ms: number, run: () => void): void;
  /** Sends a report to the broker, again and again until it is taken; then `onTaken` is called. */
  report(report: OrderReport, when: 'now' | 'late', onTaken: () => void): void;
}

/** The exchange in memory: an order is executed once however often it is submitted; completed orders are reported. */
export class MemoryExchange {
  /** In the order in which they were accepted. */
  readonly journal: ExchangeOrder[] = [];
  behaviour: Behaviour = HONEST;
  /** Reports that are to be sent and have not been taken yet, and orders that are open. */
  owesReports = 0;
  /** Reports that contradict others. */
  lies = 0;
  readonly #orders = new Map<string, ExchangeOrder>();
  readonly #quotes = new Map<string, Quote | null>();
  readonly #world: ExchangeWorld;
  #executions = 0;

  constructor(world: ExchangeWorld, quotes: Record<string, { bid: bigint; ask: bigint }>) {
    this.#world = world;
    for (const [stockTicker, prices] of Object.entries(quotes))
      this.#quotes.set(stockTicker, { stockTicker, ...prices, halted: false });
  }

  quote(stockTicker: string): QuoteAnswer {
    const quote = this.#quotes.get(stockTicker);
    if (quote === undefined) return { kind: 'unknown-ticker' };
    return quote === null ? { kind: 'no-quote' } : { kind: 'quote', quote: { ...quote } };
  }

  setQuote(stockTicker: string, quote: Omit<Quote, 'stockTicker'> | null): void {
    this.#quotes.set(stockTicker, quote === null ? null : { stockTicker, ...quote });
  }

  /** Whether it has prices of both sides, and trades. */
  hasUsualQuote(stockTicker: string): boolean {
    const quote = this.#quotes.get(stockTicker) ?? null;
    return quote !== null && !quote.halted && quote.bid !== null && quote.ask !== null;
  }

  /** Whether it has ever taken an order of this id. */
  knows(tradeId: string): boolean {
    return this.#orders.has(tradeId);
  }

  submit(trade: Trade): SubmitAnswer {
    const known = this.#orders.get(trade.id);
    if (known !== undefined && !isNextAttempt(known, trade)) {
      if (this.#world.refusesRepeats) return { kind: 'invalid', message: 'malformed, it says' };
      return isSameContent(known.trade, trade)
        ? { kind: 'accepted' }
        : { kind: 'conflict', message: 'the id was used for another order' };
    }
    if (!this.#quotes.has(trade.stockTicker)) return { kind: 'invalid', message: 'no such ticker' };
    const order: ExchangeOrder = { trade: { ...trade }, report: undefined };
    this.#orders.set(trade.id, order);
    this.journal.push(order);
    // What comes outside the session is taken, and rejected in a report.
    const isLate = !this.#world.isOpen();
    const { latencyMs, repeatedIdRate } = this.behaviour;
    const completesAfterMs = this.#world.random() * latencyMs;
    if (this.#happens(repeatedIdRate)) this.#world.after(completesAfterMs / 2, () => this.#repeatAnId(order));
    this.#world.after(completesAfterMs, () => this.#complete(order, isLate));
    return { kind: 'accepted' };
  }

  find(tradeId: string): OrderReport | 'open' | 'unknown' {
    const order = this.#orders.get(tradeId);
    return order === undefined ? 'unknown' : (order.report ?? 'open');
  }

  recall(tradeId: string): KnownOrder | null {
    const order = this.#orders.get(tradeId);
    if (order === undefined) return null;
    const { attempt, limitPrice } = order.trade;
    return { attempt, limitPrice, found: order.report ?? 'open' };
  }

  #happens(rate: number): boolean {
    return rate > 0 && this.#world.random() < rate;
  }

  #complete(order: ExchangeOrder, isLate: boolean): void {
    const { behaviour } = this;
    order.report = isLate
      ? about(order.trade, { kind: 'rejected', refusal: { code: 'MARKET_CLOSED' }, executedAt: this.#date() })
      : this.#happens(behaviour.rejectRate)
        ? this.#rejection(order.trade)
        : this.#fill(order.trade);
    const { report } = order;
    if (this.#happens(behaviour.dropRate)) return;
    const isContradicted = this.#happens(behaviour.conflictRate);
    this.#report(report, this.#happens(behaviour.lateRate), () => isContradicted && this.#contradict(report));
    if (this.#happens(behaviour.duplicateRate)) this.#report(report, this.#happens(0.5));
  }

  /** Another order's fill, told as this one's while it is open. */
  #repeatAnId(order: ExchangeOrder): void {
    const others = this.journal.flatMap(({ report }) => {
      const { outcome } = report ?? {};
      return outcome?.kind === 'filled' && this.#world.isBooked(outcome.executionId) ? [outcome] : [];
    });
    const outcome = others[Math.floor(this.#world.random() * others.length)];
    if (outcome === undefined || order.report !== undefined) return;
    this.lies += 1;
    this.#report(about(order.trade, outcome), false);
  }

  #report(report: OrderReport, isLate: boolean, onTaken?: () => void): void {
    this.owesReports += 1;
    this.#world.report(report, isLate ? 'late' : 'now', () => {
      this.owesReports -= 1;
      onTaken?.();
    });
  }

  /** A report of an order that nobody has placed. */
  makeUp(tradeId: string): void {
    const outcome = {
      kind: 'rejected',
      refusal: { code: 'EXCHANGE_REJECTED', message: 'made up' },
      executedAt: new Date(0),
    } as const;
    this.lies += 1;
    this.#report({ tradeId, stockTicker: 'AAPL', type: 'buy', quantity: 1, outcome }, false);
  }

  #contradict({ outcome: { executedAt }, ...order }: OrderReport): void {
    this.lies += 1;
    this.#report({ ...order, outcome: { kind: 'filled', price: 1n, executionId: `lie-${this.lies}`, executedAt } }, false);
  }

  #fill(trade: Trade): OrderReport {
    const limit = trade.limitPrice ?? 0n;
    const better = (limit * BigInt(Math.floor(this.#world.random() * 500))) / 10_000n;
    const isBeyond = this.#happens(this.behaviour.beyondLimitRate);
    const beyond = trade.type === 'buy' ? limit * 2n : limit / 2n;
    const price = isBeyond ? beyond : trade.type === 'buy' ? limit - better : limit + better;
    this.#executions += 1;
    return about(trade, { kind: 'filled', price, executionId: `execution-${this.#executions}`, executedAt: this.#date() });
  }

  #rejection(trade: Trade): OrderReport {
    const refusal = { code: 'EXCHANGE_REJECTED', message: 'no reason' } as const;
    return about(trade, { kind: 'rejected', refusal, executedAt: this.#date() });
  }

  #date(): Date {
    return new Date(this.#world.now());
  }
}

function about({ id: tradeId, stockTicker, type, quantity, attempt }: Trade, outcome: OrderReport['outcome']): OrderReport {
  return { tradeId, stockTicker, type, quantity, ...(attempt === 0 ? {} : { attempt }), outcome };
}

/** What was rejected because the venue was closed may be submitted again, as the next attempt. */
function isNextAttempt({ trade: before, report }: ExchangeOrder, trade: Trade): boolean {
  const { outcome } = report ?? {};
  return outcome?.kind === 'rejected' && outcome.refusal.code === 'MARKET_CLOSED' && trade.attempt > before.attempt;
}

function isSameContent(a: Trade, b: Trade): boolean {
  return a.stockTicker === b.stockTicker && a.type === b.type && a.quantity === b.quantity && a.limitPrice === b.limitPrice;
}
