import type { Account, NewTrade, OrderReport, Quote, Refusal, Trade, TradeType, UsdE4 } from '@stockbroker/trading';

/**
 * Everything that the flow needs from the world: there is no clock, timer, random number or I/O in this library but through
 * these ports, so that a simulation can drive it. Each operation is about one trade; adapters batch behind them.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`, or as soon as the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** In [0, 1). */
  number(): number;
  bytes(count: number): Uint8Array;
}

/** The database could not do it now: nothing is known of a change that was asked for, and trying again is right. */
export class StoreUnavailableError extends Error {
  constructor(cause: unknown, message = 'the database cannot be reached or did not answer in time') {
    super(message, { cause });
    this.name = 'StoreUnavailableError';
  }
}

/** Another transaction holds a row or a table that is needed, for longer than others should wait for it. Nothing changed. */
export class StoreLockedError extends StoreUnavailableError {
  constructor(cause: unknown) {
    super(cause, 'another transaction holds a lock that is needed');
    this.name = 'StoreLockedError';
  }
}

/** The database refuses this one row, now and always: a bug, or a figure beyond all bounds. Nothing changed. */
export class StoreRefusedError extends Error {
  constructor(cause: unknown) {
    super('the database refuses the row', { cause });
    this.name = 'StoreRefusedError';
  }
}

export type InsertResult =
  | { kind: 'inserted'; trade: Trade }
  /** The customer has a trade with this client order id. */
  | { kind: 'existing'; trade: Trade }
  | { kind: 'no-account' }
  /** The customer has so many open trades, as many as are allowed. Nothing was stored. */
  | { kind: 'too-many-open'; open: number; limit: number };

/**
 * What to do with the oldest open trade of a customer: send it with this limit, or end it; or adopt what the exchange has of it already,
 * which is never refused.
 */
export type Decision = { limitPrice: UsdE4 } | { refusal: Refusal } | { adopt: { limitPrice: UsdE4; attempt: number } };

export interface Mark {
  trade: Trade;
  /** The epoch of the partition under which the caller leads it. */
  epoch: bigint;
  decision: Decision;
}

export type MarkResult =
  /** The trade is now executed, or rejected: by the decision, or because the customer lacks the means. */
  | { kind: 'marked'; trade: Trade }
  /** The partition has another leader now. Nothing changed. */
  | { kind: 'fenced' }
  /** The trade is not the customer's oldest open one, or not placed any more, or the fence is being changed. Nothing changed: read again. */
  | { kind: 'stale' };

/** A partition that was taken over. */
export interface Raised {
  epoch: bigint;
  /** When, by the database's clock. */
  since: Date;
}

export interface Settled {
  /** Placed again, when the exchange was closed and it waits for the open. */
  trade: Trade;
  /** True when the fill cost more than was held for it, or took the balance below zero: the account's buys are now blocked. */
  overdrawn: boolean;
}

export interface PlacingStore {
  /** An aborted signal withdraws a trade that has not been sent to the database yet. */
  insertTrade(trade: NewTrade, signal?: AbortSignal): Promise<InsertResult>;
}

export interface ExecutingStore {
  readOldestOpenTrade(customer: { customerId: string; partition: number; waiting: Waiting }): Promise<Trade | null>;
  /**
   * Checks the customer's means, takes the hold and changes the status, in one statement that holds the partition's fence. Only of the
   * customer's oldest open trade; but a trade may be refused MARKET_CLOSED while older ones wait for the open.
   */
  markExecuted(mark: Mark): Promise<MarkResult>;
  /** Of a customer's oldest open trade: since when it is, as far as earlier trades are concerned; null for a first one. */
  readTurn(trade: { customerId: string; seq: bigint }): Promise<Date | null>;
  /** Customers of a partition with open trades, those with the oldest first; at most `limit`. */
  readOpenCustomers(asked: { partition: number; limit: number; waiting: Waiting }): Promise<string[]>;
}

/**
 * Of trades that are placed and wait for the open: whether they count as open. Outside the session they are `passed`, as if they were
 * not there: no lane waits with them, and nothing is read again and again. Within it they are counted, but for those that the exchange has
 * sent back since: these are passed unless they came back before `queuedBefore`.
 */
export type Waiting = 'counted' | 'passed' | { queuedBefore: Date };

export interface CancelingStore {
  /** Ends a placed trade of the customer, CANCELED. Null when there is none with this id, or not placed any more: nothing changed. */
  cancelTrade(asked: { customerId: string; tradeId: string }): Promise<Trade | null>;
  readTrade(tradeId: string): Promise<Trade | null>;
}

export interface SettlingStore {
  /**
   * Ends an executed trade as reported and moves money, shares and hold. Null when it was not executed, or the report is not about its
   * order, or the execution was booked for another trade: nothing changed.
   */
  settleTrade(report: OrderReport): Promise<Settled | null>;
  readTrade(tradeId: string): Promise<Trade | null>;
  quarantineCallback(callback: QuarantinedCallback): Promise<void>;
}

/** A callback that an operator must see. */
export interface QuarantinedCallback {
  tradeId: string | null;
  why: string;
  /** True: it was applied, but breaks a rule; kept once for each reason, whatever its bytes. Otherwise it changed nothing. */
  booked?: boolean;
  /** As it came. */
  raw: Uint8Array;
}

/** The exchange could not be asked, or its answer was lost. Whether it did anything is not known. */
export class ExchangeInDoubtError extends Error {
  constructor(cause: unknown) {
    super('the exchange did not answer', { cause });
    this.name = 'ExchangeInDoubtError';
  }
}

export type SubmitAnswer =
  | { kind: 'accepted' }
  /** The exchange will never know this order. */
  | { kind: 'invalid'; message: string }
  /** The exchange has another order under this id. */
  | { kind: 'conflict'; message: string };

export type QuoteAnswer =
  | { kind: 'quote'; quote: Quote }
  | { kind: 'unknown-ticker' }
  | { kind: 'no-quote' }
  | { kind: 'unreachable' };

/** An order as the exchange has it. */
export interface KnownOrder {
  attempt: number;
  /** Null when the exchange does not say. */
  limitPrice: UsdE4 | null;
  found: OrderReport | 'open';
}

export interface Exchange {
  /** False while calls fail or the quote stream is silent: then nothing new should be sent. */
  isReachable(): boolean;
  /** For how long it has been away without a break, as this process has seen it; 0 while it is reachable. */
  awayForMs(): number;
  /** How much of the last `periodMs` it was away, as this process has seen it. */
  awayWithinMs(periodMs: number): number;
  /** @throws ExchangeInDoubtError */
  submitOrder(trade: Trade): Promise<SubmitAnswer>;
  /** What the exchange knows of an order. @throws ExchangeInDoubtError */
  findOrder(tradeId: string): Promise<OrderReport | 'open' | 'unknown'>;
  /** The same with what is needed to adopt it; null when it knows none. @throws ExchangeInDoubtError */
  recallOrder(tradeId: string): Promise<KnownOrder | null>;
  /** A quote that is fresh, halted or with the side that the order needs, if need be after a brief wait. */
  freshQuote(stockTicker: string, type: TradeType): Promise<QuoteAnswer>;
}

/** Instants in milliseconds since 1970; -Infinity and Infinity where there is no such instant. */
export type MarketState =
  /** Since when it is open, and when it will close. */
  | { isOpen: true; sinceMs: number; untilMs: number }
  /** When it will open. */
  | { isOpen: false; untilMs: number };

/** The sessions of the exchange. */
export interface MarketHours {
  at(nowMs: number): MarketState;
}

/** Wakes others. Wake-ups may be lost: nothing but time depends on them. */
export interface Wakeups {
  tradePlaced(trade: Trade): void;
  /** Executed, or rejected before it was sent. */
  tradeMarked(trade: Trade): void;
  tradeSettled(trade: Trade): void;
}

/** How a customer's account stood at one revision, with some of the trades as they stood then. */
export interface CustomerState {
  revision: number;
  account: Account;
  trades: Trade[];
}

export interface WatchingStore {
  /** All open trades, up to a bound, and the newest of all, newest first. Null: there is no such customer. */
  readSnapshot(customer: { customerId: string; partition: number }): Promise<CustomerState | null>;
  /**
   * The trades that have changed since a revision, in the order placed. 'too many': more than MAX_CHANGED_TRADES, or _REVISIONS, or
   * too many to look through for those.
   */
  readChanges(since: { customerId: string; revision: number }): Promise<CustomerState | 'too many' | null>;
  /** Of these customers those that have a higher revision by now, with that revision. */
  readNewRevisions(known: KnownRevision[]): Promise<KnownRevision[]>;
}

/** More trades than these are not told one by one. */
export const MAX_CHANGED_TRADES = 1_000;
/** Of a customer, since a revision: a trade has three, unless it was sent back, so that past these it need not be looked how many have changed. */
export const MAX_CHANGED_REVISIONS = 3 * MAX_CHANGED_TRADES;

export interface KnownRevision {
  customerId: string;
  revision: number;
}

/** News of customers' changes, from whatever process made them. They may be lost, doubled or late. */
export interface CustomerNews {
  onCustomerChanged(customerId: string, handle: (revision: number) => void): { stop(): Promise<void> };
}

/** What happened, for logs and metrics. */
export type FlowEvent =
  | { kind: 'placed' | 'retried' | 'executed' | 'refused' | 'submitted' | 'settled' | 'duplicate' | 'canceled'; trade: Trade }
  | { kind: 'overdrawn' | 'adopted' | 'sent-back'; trade: Trade }
  /** Booked, because it is real, but not as it was allowed. */
  | { kind: 'suspect-fill'; trade: Trade; why: string }
  /** Neither sent nor ended by us any more: an operator must look. */
  | { kind: 'held'; trade: Trade; why: string; error?: unknown }
  | { kind: 'quarantined'; tradeId: string | null; why: string }
  | { kind: 'in-doubt' | 'resubmitted'; trade: Trade; error?: unknown }
  | { kind: 'lane-failed'; customerId: string; error: unknown };

export type Observe = (event: FlowEvent) => void;
