import type { OpeningAccount, Tables } from '@stockbroker/store';
import type { RejectCode, Trade, TradeStatus, TradeType, UsdE4 } from '@stockbroker/trading';

/** Everything that a proof may know: what clients were told, the exchange's own journal, and the tables at the end. */
export interface Evidence {
  /** What each customer began with. */
  openings: OpeningAccount[];
  /** Every call of every client, in the order in which they ended. Empty when nobody kept a log. */
  clientLog: ClientCall[];
  /** Every order that the exchange accepted, in that order. */
  journal: JournalOrder[];
  tables: Tables;
  /** False reports that the exchange was made to send by name, each with its answer. */
  lies: Lie[];
}

/** One attempt of one call, as the client saw it. Times are of one monotonic clock, in milliseconds. */
export interface ClientCall {
  customerId: string;
  method: 'PlaceTrade' | 'CancelTrade' | 'GetTrade' | 'ListTrades' | 'GetAccount';
  /** Which gateway was called. */
  gateway: string;
  startedMs: number;
  endedMs: number;
  /** Of a PlaceTrade. */
  request?: ClientRequest;
  /** Of a CancelTrade. */
  orderId?: string;
  answer: ClientAnswer;
}

export interface ClientRequest {
  clientOrderId: string;
  stockTicker: string;
  type: TradeType;
  quantity: number;
  /** By default not. */
  queueForOpen?: boolean;
}

export type ClientAnswer =
  | { kind: 'trade'; trade: SeenTrade }
  | { kind: 'trades'; trades: SeenTrade[] }
  | { kind: 'account'; account: SeenAccount }
  /** `isDefinite`: the server has said that it did nothing and never will. */
  | { kind: 'error'; code: string; reason: string; message: string; isDefinite: boolean };

/** A trade as a client was shown it. */
export interface SeenTrade {
  orderId: string;
  customerId: string;
  clientOrderId: string;
  stockTicker: string;
  type: TradeType;
  quantity: number;
  status: TradeStatus;
  rejectCode: RejectCode | null;
  limitPrice: UsdE4 | null;
  hold: UsdE4 | null;
  price: UsdE4 | null;
  executionId: string | null;
  /** When it was marked executed, and when the exchange completed it; milliseconds since 1970. */
  submittedAtMs: number | null;
  executedAtMs: number | null;
}

export interface SeenAccount {
  cash: UsdE4;
  held: UsdE4;
  buysBlocked: boolean;
  positions: { stockTicker: string; quantity: bigint; held: bigint }[];
}

/** An order in the exchange's journal. */
export interface JournalOrder {
  /** Rank of acceptance, from 1. */
  sequence: bigint;
  /** The trade's id. */
  orderId: string;
  stockTicker: string;
  type: TradeType;
  quantity: number;
  limitPrice: UsdE4;
  /** How often it was sent back before, because the exchange was closed. */
  attempt: number;
  state: 'open' | 'filled' | 'rejected';
  price: UsdE4 | null;
  executionId: string | null;
  /** By the exchange's clock, milliseconds since 1970. */
  executedAtMs: number | null;
}

/** A report that the exchange was made to send and that must change nothing. */
export interface Lie {
  tradeId: string;
  what: string;
  /** True when it was answered with success: then the broker has it, and must have kept it. */
  delivered: boolean;
}

/** Something that must not be. */
export interface Violation {
  check: string;
  /** In words, with figures. */
  message: string;
  /** Whom and which trade it is about, for its history. */
  customerId?: string;
  tradeId?: string;
}

/** A pure function over the evidence. Sound: what it reports is wrong, however the system was disturbed. */
export type Check = (evidence: Evidence) => Violation[];

export function isFinalStatus(status: TradeStatus): boolean {
  return status === 'filled' || status === 'rejected';
}

export function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/**
 * Canceled, perhaps after the exchange had sent it back, or too late for today while others wait for the open: none of these waits for the
 * customer's earlier trades.
 */
export function endsOutOfTurn({ rejectCode, submittedAt }: Pick<Trade, 'rejectCode' | 'submittedAt'>): boolean {
  return rejectCode === 'CANCELED' || (submittedAt === null && rejectCode === 'MARKET_CLOSED');
}

/** Every trade that an answer shows. */
export function tradesIn({ answer }: ClientCall): SeenTrade[] {
  if (answer.kind === 'trade') return [answer.trade];
  return answer.kind === 'trades' ? answer.trades : [];
}
