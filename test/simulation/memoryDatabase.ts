import type {
  Decision,
  InsertResult,
  Mark,
  MarkResult,
  QuarantinedCallback,
  Raised,
  Settled,
  Waiting,
} from '@stockbroker/trade-flow';
import {
  checkMeans,
  describeRefusal,
  holdFor,
  isAboutOrder,
  isFinal,
  isSentBack,
  type Means,
  type NewTrade,
  nextStatus,
  type OrderReport,
  placedTrade,
  type Refusal,
  type Trade,
} from '@stockbroker/trading';
import type { Balance, Position } from './memoryAccounts.ts';
import { MemoryRows } from './memoryRows.ts';

/** The broker's database in memory: the statements as synchronous functions, each of them one transaction. */
export class MemoryDatabase extends MemoryRows {
  insertTrades(trades: NewTrade[]): InsertResult[] {
    const before = new Map(trades.map(({ customerId }) => [customerId, this.balances.get(customerId)?.revision ?? 0]));
    return trades.map((trade, i) => {
      // Each trade of the batch has its revision before it is known which of them are stored already.
      const rank = trades.slice(0, i + 1).filter(({ customerId }) => customerId === trade.customerId).length;
      return this.#insert(trade, (before.get(trade.customerId) ?? 0) + rank);
    });
  }

  #insert(trade: NewTrade, placedRevision: number): InsertResult {
    if (!this.balances.has(trade.customerId)) return { kind: 'no-account' };
    const own = this.tradesOf(trade.customerId);
    const existing = own.find(({ clientOrderId }) => clientOrderId === trade.clientOrderId);
    if (existing !== undefined) return { kind: 'existing', trade: { ...existing } };
    this.seq += 1n;
    this.#balance(trade.customerId).revision = placedRevision;
    this.version += 1;
    const placed = placedTrade(trade, { seq: this.seq, createdAt: new Date(this.now()), placedRevision });
    this.trades.set(placed.id, placed);
    this.byCustomer.set(placed.customerId, [...own, placed]);
    return { kind: 'inserted', trade: { ...placed } };
  }

  readOldestOpenTrades(customers: { customerId: string; partition: number; waiting: Waiting }[]): (Trade | null)[] {
    return customers.map(({ customerId, partition, waiting }) => {
      const oldest = this.#oldestOpen(customerId, waiting);
      return oldest === undefined || oldest.partition !== partition ? null : { ...oldest };
    });
  }

  #oldestOpen(customerId: string, waiting: Waiting): Trade | undefined {
    return this.tradesOf(customerId).find(
      (trade) => !isFinal(trade.status) && (!isWaiting(trade) || this.#counts(trade, waiting)),
    );
  }

  #counts({ id }: Trade, waiting: Waiting): boolean {
    if (typeof waiting === 'string') return waiting === 'counted';
    return (this.queuedAt.get(id) ?? Number.NEGATIVE_INFINITY) < waiting.queuedBefore.getTime();
  }

  readOpenCustomers(asked: { partition: number; limit: number; waiting: Waiting }[]): string[][] {
    return asked.map(({ partition, limit, waiting }) =>
      [...this.byCustomer.keys()]
        .flatMap((customerId) => this.#oldestOpen(customerId, waiting) ?? [])
        .sort((a, b) => Number(a.seq - b.seq))
        .filter((trade) => trade.partition === partition)
        .map(({ customerId }) => customerId)
        .slice(0, limit),
    );
  }

  markTradesExecuted(marks: Mark[]): MarkResult[] {
    return marks.map((mark) => this.#mark(mark));
  }

  #mark({ trade: { id, customerId, partition }, epoch, decision }: Mark): MarkResult {
    const lease = this.epochs[partition];
    if (lease?.epoch !== epoch || lease.timeline !== this.timeline) return { kind: 'fenced' };
    const trade = this.trades.get(id);
    if (trade?.status !== 'placed') return { kind: 'stale' };
    // A trade that comes too late today passes by those that wait for the open.
    const waiting = 'refusal' in decision && decision.refusal.code === 'MARKET_CLOSED' ? 'passed' : 'counted';
    const oldest = this.#oldestOpen(customerId, waiting);
    if (oldest !== undefined && oldest.seq < trade.seq) return { kind: 'stale' };
    const refusal = this.#refusalOf(trade, decision);
    if ('adopt' in decision && refusal !== null) return { kind: 'stale' };
    const revision = this.#changed(customerId);
    if (refusal !== null) this.#refuse(trade, refusal, revision);
    else if ('limitPrice' in decision) this.#execute(trade, decision.limitPrice, revision);
    else if ('adopt' in decision) this.#adopt(trade, decision.adopt, revision);
    return { kind: 'marked', trade: { ...trade } };
  }

  #adopt(trade: Trade, { limitPrice, attempt }: { limitPrice: bigint; attempt: number }, revision: number): void {
    const { amount, held } = this.#balance(trade.customerId);
    const spendable = amount > held ? amount - held : 0n;
    trade.attempt = attempt;
    this.#execute(trade, limitPrice, revision, spendable);
  }

  #refuse(trade: Trade, refusal: Refusal, revision: number): void {
    trade.endedAt = new Date(this.now());
    trade.finalRevision = revision;
    const { needed, available } = 'needed' in refusal ? refusal : { needed: null, available: null };
    trade.status = nextStatus(trade.status, 'refuse');
    trade.rejectCode = refusal.code;
    trade.reason = describeRefusal(refusal);
    trade.rejectNeeded = needed;
    trade.rejectAvailable = available;
  }

  #execute(trade: Trade, limitPrice: bigint, revision: number, most?: bigint): void {
    this.queuedAt.delete(trade.id);
    trade.executedRevision = revision;
    trade.status = nextStatus(trade.status, 'execute');
    trade.limitPrice = limitPrice;
    const hold = holdFor(trade, limitPrice);
    trade.hold = most !== undefined && hold > most ? most : hold;
    trade.submittedAt = most === undefined ? new Date(this.now()) : trade.createdAt;
    this.#hold(trade, 1n);
  }

  #refusalOf(trade: Trade, decision: Decision): Refusal | null {
    if ('refusal' in decision) return decision.refusal;
    const isAdoptedBuy = 'adopt' in decision && trade.type === 'buy';
    const limitPrice = 'adopt' in decision ? decision.adopt.limitPrice : decision.limitPrice;
    return isAdoptedBuy ? null : checkMeans(trade, limitPrice, this.#meansFor(trade));
  }

  #meansFor({ customerId, stockTicker }: Trade): Means {
    const { quantity: shares, held: sharesHeld } = this.positions.get(`${customerId} ${stockTicker}`) ?? NO_SHARES;
    return { ...this.#balance(customerId), shares, sharesHeld };
  }

  /** Counts a change of the customer. @returns its revision */
  #changed(customerId: string): number {
    this.version += 1;
    const balance = this.#balance(customerId);
    balance.revision += 1;
    return balance.revision;
  }

  #balance(customerId: string): Balance {
    const balance = this.balances.get(customerId);
    if (balance === undefined) throw new Error(`customer ${customerId} has no balance`);
    return balance;
  }

  #position(customerId: string, ticker: string): Position {
    const key = `${customerId} ${ticker}`;
    const position = this.positions.get(key) ?? { ...NO_SHARES };
    this.positions.set(key, position);
    return position;
  }

  /** Takes (1) or releases (-1) what the trade holds. */
  #hold({ customerId, stockTicker, type, quantity, hold }: Trade, sign: 1n | -1n): void {
    if (type === 'buy') this.#balance(customerId).held += sign * (hold ?? 0n);
    else this.#position(customerId, stockTicker).held += sign * BigInt(quantity);
  }

  cancelTrades(asked: { customerId: string; tradeId: string }[]): (Trade | null)[] {
    return asked.map(({ customerId, tradeId }) => {
      const trade = this.trades.get(tradeId);
      if (trade?.customerId !== customerId || trade.status !== 'placed') return null;
      trade.finalRevision = this.#changed(customerId);
      trade.status = nextStatus(trade.status, 'cancel');
      trade.rejectCode = 'CANCELED';
      trade.reason = describeRefusal({ code: 'CANCELED' });
      trade.endedAt = new Date(this.now());
      return { ...trade };
    });
  }

  settleTrades(reports: OrderReport[]): (Settled | null)[] {
    return reports.map((report) => this.#settle(report));
  }

  #settle(report: OrderReport): Settled | null {
    const trade = this.trades.get(report.tradeId);
    if (trade?.status !== 'executed' || !isAboutOrder(report, trade) || (report.attempt ?? 0) !== trade.attempt) return null;
    const { outcome } = report;
    if (outcome.kind === 'filled') {
      if (this.executions.has(outcome.executionId)) return null;
      this.executions.set(outcome.executionId, trade.id);
    }
    const revision = this.#changed(trade.customerId);
    this.#hold(trade, -1n);
    if (isSentBack(report, trade)) return this.#sendBack(trade, revision);
    trade.finalRevision = revision;
    trade.endedAt = new Date(this.now());
    trade.executedAt = outcome.executedAt;
    if (outcome.kind === 'rejected') {
      trade.status = nextStatus(trade.status, 'reject');
      trade.rejectCode = outcome.refusal.code;
      trade.reason = describeRefusal(outcome.refusal);
      return { trade: { ...trade }, overdrawn: false };
    }
    trade.status = nextStatus(trade.status, 'fill');
    trade.price = outcome.price;
    trade.executionId = outcome.executionId;
    return { trade: { ...trade }, overdrawn: this.#book(trade, outcome.price) };
  }

  /** It waits again, and so do the customer's others that wait for the open. */
  #sendBack(trade: Trade, revision: number): Settled {
    trade.status = nextStatus(trade.status, 'requeue');
    trade.attempt += 1;
    trade.executedRevision = revision;
    for (const each of this.tradesOf(trade.customerId)) if (isWaiting(each)) this.queuedAt.set(each.id, this.now());
    return { trade: { ...trade }, overdrawn: false };
  }

  /** Moves cash and shares. @returns whether the fill cost more than was held, or than there was */
  #book({ customerId, stockTicker, type, quantity, hold }: Trade, price: bigint): boolean {
    const balance = this.#balance(customerId);
    const position = this.#position(customerId, stockTicker);
    const value = BigInt(quantity) * price;
    if (type === 'sell') {
      balance.amount += value;
      position.quantity -= BigInt(quantity);
      return false;
    }
    const overdrawn = value > (hold ?? 0n) || value > balance.amount;
    balance.amount -= value;
    balance.buysBlocked ||= overdrawn;
    position.quantity += BigInt(quantity);
    return overdrawn;
  }

  readTrades(ids: string[]): (Trade | null)[] {
    return ids.map((id) => {
      const trade = this.trades.get(id);
      return trade === undefined ? null : { ...trade };
    });
  }

  raiseEpochs(takeovers: { partition: number; leader: string }[]): Raised[] {
    return takeovers.map(({ partition, leader }) => {
      const lease = this.epochs[partition];
      if (lease === undefined) throw new Error(`there is no partition ${partition}`);
      // Each timeline has epochs of its own: a raise that was lost is not repeated.
      const least = BigInt(this.timeline - 1) << 32n;
      lease.epoch = lease.epoch + 1n > least ? lease.epoch + 1n : least;
      lease.leader = leader;
      lease.timeline = this.timeline;
      return { epoch: lease.epoch, since: new Date(this.now()) };
    });
  }

  /** One that is repeated is kept once. */
  quarantineCallbacks(callbacks: QuarantinedCallback[]): void {
    for (const callback of callbacks) {
      const rows = callback.booked === true ? this.suspects : this.quarantine;
      if (!rows.some((kept) => isSame(kept, callback))) rows.push(callback);
    }
  }
}

function isWaiting({ status, queueForOpen }: Trade): boolean {
  return status === 'placed' && queueForOpen;
}

const NO_SHARES: Position = { quantity: 0n, held: 0n };

function isSame(a: QuarantinedCallback, b: QuarantinedCallback): boolean {
  return a.tradeId === b.tradeId && a.why === b.why && (a.booked === true || Buffer.compare(a.raw, b.raw) === 0);
}
