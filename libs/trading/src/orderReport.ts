import type { UsdE4 } from './money.ts';
import { describeRefusal, type Refusal } from './refusal.ts';
import type { Trade, TradeType } from './trade.ts';

/** How the exchange ended an order. */
export type Outcome =
  | {
      kind: 'filled';
      price: UsdE4;
      executionId: string;
      executedAt: Date;
      /** It also gives a reason for a rejection. */
      saysRejected?: boolean;
    }
  | { kind: 'rejected'; refusal: Refusal; executedAt: Date };

/** What the exchange says of a completed order. */
export interface OrderReport {
  tradeId: string;
  stockTicker: string;
  type: TradeType;
  quantity: number;
  /** The submission that it is about; absent: the first, 0. */
  attempt?: number;
  outcome: Outcome;
}

/** Is the report about the order that was placed? If not, it must change nothing. */
export function isAboutOrder(report: OrderReport, trade: Trade): boolean {
  return (
    report.tradeId === trade.id &&
    report.stockTicker === trade.stockTicker &&
    report.type === trade.type &&
    report.quantity === trade.quantity
  );
}

/**
 * Does the exchange send the order back, although its customer wants it to wait for the open? Then the attempt is over, and the trade
 * is placed again.
 */
export function isSentBack({ outcome }: OrderReport, trade: Trade): boolean {
  return trade.queueForOpen && outcome.kind === 'rejected' && outcome.refusal.code === 'MARKET_CLOSED';
}

/** Is the report that of an attempt which was sent back before? Then it is a duplicate. */
export function isOfEarlierAttempt(report: OrderReport, trade: Trade): boolean {
  return isAboutOrder(report, trade) && isSentBack(report, trade) && (report.attempt ?? 0) < trade.attempt;
}

/** Does a final trade already say what the report says? Then the report is a duplicate. */
export function isSameOutcome(report: OrderReport, trade: Trade): boolean {
  const { outcome } = report;
  if (!isAboutOrder(report, trade) || (report.attempt ?? 0) !== trade.attempt) return false;
  if (trade.executedAt?.getTime() !== outcome.executedAt.getTime()) return false;
  return outcome.kind === 'filled'
    ? trade.status === 'filled' && trade.price === outcome.price && trade.executionId === outcome.executionId
    : trade.status === 'rejected' &&
        trade.rejectCode === outcome.refusal.code &&
        trade.reason === describeRefusal(outcome.refusal);
}
