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

/** What to do with the oldest open trade of a customer: send it with this limit, or end it. */
export type Decision = { limitPrice: UsdE4 } | { refusal: Refusal };

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

export interface Settled {
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
  /** Customers of a partition with open trades, those with the oldest first; at most `limit`. */
  readOpenCustomers(asked: { partition: number; limit: number; waiting: Waiting }): Promise<string[]>;
}

/**
 * Of trades that are placed and wait for the open: whether they count as open. Outside the session they are `passed`, as if they were
 * not there: no lane waits with them, and nothing is read again and again.
 */
export type Waiting = 'counted' | 'passed';

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

export interface Exchange {
  /** False while calls fail or the quote stream is silent: then nothing new should be sent. */
  isReachable(): boolean;
  /** @throws ExchangeInDoubtError */
  submitOrder(trade: Trade): Promise<SubmitAnswer>;
  /** What the exchange knows of an order. @throws ExchangeInDoubtError */
  findOrder(tradeId: string): Promise<OrderReport | 'open' | 'unknown'>;
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
/** Of a customer, since a revision: a trade has three at most, so that past these it need not be looked how many have changed. */
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
  | { kind: 'overdrawn'; trade: Trade }
  /** Booked, because it is real, but not as it was allowed. */
  | { kind: 'suspect-fill'; trade: Trade; why: string }
  | { kind: 'quarantined'; tradeId: string | null; why: string }
  | { kind: 'in-doubt' | 'resubmitted'; trade: Trade; error?: unknown }
  | { kind: 'lane-failed'; customerId: string; error: unknown };

export type Observe = (event: FlowEvent) => void;
