import type { UsdE4 } from './money.ts';
import type { RejectCode } from './refusal.ts';

export const TRADE_TYPES = ['buy', 'sell'] as const;
export type TradeType = (typeof TRADE_TYPES)[number];

/** `executed` means checked, held and sent to the exchange. `filled` and `rejected` are final. */
export const TRADE_STATUSES = ['placed', 'executed', 'filled', 'rejected'] as const;
export type TradeStatus = (typeof TRADE_STATUSES)[number];

export const MAX_QUANTITY = 1_000_000;

/** What a customer orders. */
export interface TradeOrder {
  customerId: string;
  clientOrderId: string;
  stockTicker: string;
  type: TradeType;
  /** Whole shares, 1 to MAX_QUANTITY. */
  quantity: number;
  /** Outside the session it waits, placed, for the next one, instead of being rejected MARKET_CLOSED. */
  queueForOpen: boolean;
}

/** A trade about to be stored: the order with the id and partition that the broker gave it. */
export interface NewTrade extends TradeOrder {
  id: string;
  partition: number;
}

/** A stored trade. Fields are null until the status that sets them. */
export interface Trade extends NewTrade {
  /** Placement order among all trades of the customer. */
  seq: bigint;
  status: TradeStatus;
  /** How often the exchange has sent it back because it was closed: the number of the next submission, or of the one that was made. */
  attempt: number;
  rejectCode: RejectCode | null;
  /** Why it was rejected, in words. */
  reason: string | null;
  /** Figures of the refusal: USD in ten-thousandths for funds, shares for shares. */
  rejectNeeded: bigint | null;
  rejectAvailable: bigint | null;
  /** The collar, sent to the exchange as the order's limit. */
  limitPrice: UsdE4 | null;
  /** Cash held for a buy; 0 for a sell, which holds `quantity` shares. */
  hold: UsdE4 | null;
  /** Price of the fill. */
  price: UsdE4 | null;
  executionId: string | null;
  createdAt: Date;
  /** When it was last marked executed. One that was sent back keeps it, with the limit and the hold of then; nothing is held any more. */
  submittedAt: Date | null;
  /** When the exchange completed it, by the exchange's clock. */
  executedAt: Date | null;
  /** When it was filled or rejected, by the database's clock; null for trades that ended before this was stored. */
  endedAt: Date | null;
  /** The customer's revision at which it was placed; 0 for trades of before there were revisions. */
  placedRevision: number;
  /** The one at which it was last marked executed, or placed again. */
  executedRevision: number | null;
  /** The customer's revision at which it was filled or rejected. */
  finalRevision: number | null;
}

/** A trade that was just stored: nothing has happened to it yet. */
export function placedTrade(trade: NewTrade, stored: Pick<Trade, 'seq' | 'createdAt' | 'placedRevision'>): Trade {
  return {
    ...trade,
    ...stored,
    status: 'placed',
    attempt: 0,
    rejectCode: null,
    reason: null,
    rejectNeeded: null,
    rejectAvailable: null,
    limitPrice: null,
    hold: null,
    price: null,
    executionId: null,
    submittedAt: null,
    executedAt: null,
    endedAt: null,
    executedRevision: null,
    finalRevision: null,
  };
}

/** Same order, whatever its id: decides whether a repeated client order id is a retry. */
export function isSameOrder(a: TradeOrder, b: TradeOrder): boolean {
  return a.stockTicker === b.stockTicker && a.type === b.type && a.quantity === b.quantity && a.queueForOpen === b.queueForOpen;
}
