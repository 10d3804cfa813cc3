import type { Trade } from '@stockbroker/trading';
import { type CancelingStore, type Observe, StoreUnavailableError, type Wakeups } from './ports.ts';

export interface CancelPorts {
  store: CancelingStore;
  wakeups: Pick<Wakeups, 'tradeSettled'>;
  observe: Observe;
}

/** The customer has no trade with this id. */
export class NoTradeError extends Error {
  constructor(tradeId: string) {
    super(`there is no trade ${tradeId}`);
    this.name = 'NoTradeError';
  }
}

/** The trade has been sent to the exchange, or has ended: it is too late. */
export class NotCancelableError extends Error {
  readonly trade: Trade;

  constructor(trade: Trade) {
    super(`trade ${trade.id} cannot be canceled any more: it is ${trade.status}`);
    this.name = 'NotCancelableError';
    this.trade = trade;
  }
}

/**
 * Ends a trade that has not been sent yet, for good. When this resolves, it never will be. Canceling it again answers the same.
 *
 * @returns the trade, rejected with the code CANCELED
 * @throws NoTradeError, NotCancelableError, StoreUnavailableError
 */
export async function cancelTrade(ports: CancelPorts, asked: { customerId: string; tradeId: string }): Promise<Trade> {
  const canceled = await ports.store.cancelTrade(asked);
  if (canceled !== null) {
    ports.observe({ kind: 'canceled', trade: canceled });
    // As of any end: the lane goes on with the customer's next trade, watchers look.
    ports.wakeups.tradeSettled(canceled);
    return canceled;
  }
  const trade = await ports.store.readTrade(asked.tradeId);
  if (trade === null || trade.customerId !== asked.customerId) throw new NoTradeError(asked.tradeId);
  if (trade.status === 'placed') throw new StoreUnavailableError(new Error('the trade was placed after it was to be canceled'));
  if (trade.rejectCode !== 'CANCELED') throw new NotCancelableError(trade);
  // Whoever canceled it may have died before the news.
  ports.wakeups.tradeSettled(trade);
  return trade;
}
