import { type OrderReport, OrderState, RejectReason, type Side } from '@stockbroker/rpc/exchange';
import { formatPriceE4 } from './prices.ts';

/** A well-formed order, as it is accepted. */
export interface NewOrder {
  /** Lower-case UUID. */
  clientOrderId: string;
  ticker: string;
  side: Side;
  quantity: number;
  limitPriceE4: number;
  callbackUrl: string;
  /** From 0. */
  attempt: number;
}

/** How an order ends: all shares at one price, or not at all. */
export type Outcome = { filled: true; priceE4: number } | { filled: false; reason: RejectReason; message: string };

/** The end of one order, as the journal has it. */
export interface Completion {
  /** Grows from one completion to the next: unreported orders are paged by it. A restart may use the ranks of reported ones again. */
  rank: number;
  executedAtMs: number;
  /** Empty unless filled. */
  executionId: string;
  outcome: Outcome;
}

/** An order in the journal. */
export interface OrderRecord extends NewOrder {
  /** Rank of acceptance, from 1. */
  sequence: number;
  /** Undefined while it is open. */
  completion: Completion | undefined;
  /** True when its report was answered with success. */
  delivered: boolean;
}

export type CompletedOrder = OrderRecord & { completion: Completion };

/** The order as brokers are told of it. */
export function toReport({ clientOrderId, ticker, side, quantity, attempt, limitPriceE4, completion }: OrderRecord): OrderReport {
  const outcome = completion?.outcome;
  const filled = outcome?.filled === true;
  const rejected = outcome?.filled === false;
  return {
    clientOrderId,
    ticker,
    side,
    quantity,
    state: filled ? OrderState.ORDER_STATE_FILLED : rejected ? OrderState.ORDER_STATE_REJECTED : OrderState.ORDER_STATE_OPEN,
    price: filled ? formatPriceE4(outcome.priceE4) : '',
    executionId: completion?.executionId ?? '',
    executedAt: completion === undefined ? undefined : new Date(completion.executedAtMs),
    rejectReason: rejected ? outcome.reason : RejectReason.REJECT_REASON_UNSPECIFIED,
    rejectMessage: rejected ? outcome.message : '',
    attempt,
    limitPrice: formatPriceE4(limitPriceE4),
  };
}
