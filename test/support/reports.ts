import { randomBytes } from 'node:crypto';
import { type OrderReport, OrderState, RejectReason, Side } from '@stockbroker/rpc/exchange';
import { uuidV7 } from '@stockbroker/trading';

/** The report of a fill that never was: 10 AAPL bought at 10.00. */
export function madeUpFill(tradeId: string): OrderReport {
  return {
    clientOrderId: tradeId,
    ticker: 'AAPL',
    side: Side.SIDE_BUY,
    quantity: 10,
    state: OrderState.ORDER_STATE_FILLED,
    price: '10.0000',
    executionId: `made-up-${tradeId}`.slice(0, 64),
    executedAt: new Date(),
    rejectReason: RejectReason.REJECT_REASON_UNSPECIFIED,
    rejectMessage: '',
    attempt: 0,
    limitPrice: '10.5000',
  };
}

/** An id that no trade has. */
export function unusedTradeId(): string {
  return uuidV7(Date.now(), randomBytes(10));
}
