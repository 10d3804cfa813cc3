import type { Account, Trade, WatchTradesResponse } from '@stockbroker/rpc/stockbroker';

/** How a customer's trades and account stand, as far as the broker has told. It is never changed: each event makes a new one. */
export interface TradesView {
  /** Of the last change that is in it. */
  readonly revision: bigint;
  /** Of the snapshot that it began with. After another one, trades that had ended before it may be missing. */
  readonly snapshotRevision: bigint;
  readonly account: Account;
  /** By order id: all open ones, the newest when the view began, and all that have changed since. */
  readonly trades: ReadonlyMap<string, Trade>;
}

/**
 * The view after an event. Undefined when the event does not follow: something was missed, or the server counts otherwise. Then the
 * stream must be begun anew.
 */
export function withEvent(view: TradesView | undefined, { event }: WatchTradesResponse): TradesView | undefined {
  switch (event?.$case) {
    case 'snapshot': {
      const { revision, account, trades } = event.value;
      return account === undefined ? undefined : { revision, snapshotRevision: revision, account, trades: byId(trades) };
    }
    case 'change': {
      const { firstRevision, revision, trades, account } = event.value;
      if (view === undefined || firstRevision !== view.revision + 1n || revision < firstRevision) return undefined;
      // Without an account: newer changes follow at once, and bring it.
      return { ...view, revision, account: account ?? view.account, trades: byId(trades, view.trades) };
    }
    case 'heartbeat':
      return event.value.revision === view?.revision ? view : undefined;
    default: // An event of a newer server: what it tells may matter.
      return undefined;
  }
}

function byId(trades: readonly Trade[], before: Iterable<readonly [string, Trade]> = []): ReadonlyMap<string, Trade> {
  const all = new Map(before);
  for (const trade of trades) all.set(trade.orderId, trade);
  return all;
}

/** Newest first. Ids begin with the moment in which the broker stored the trade. */
export function newestFirst(trades: Iterable<Trade>): Trade[] {
  return [...trades].sort((a, b) => (a.orderId < b.orderId ? 1 : -1));
}
