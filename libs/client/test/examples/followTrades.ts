import { type BrokerClient, newestFirst, TradeStatus } from '@stockbroker/client';

/** Returns how a trade ended, however often the connection breaks before that. */
export async function followToItsEnd(broker: BrokerClient, orderId: string, tell = console.log) {
  const watch = broker.watchTrades();
  watch.connection.subscribe((state) => tell(state));
  for await (const { account, trades } of watch) {
    tell(account.spendable, newestFirst(trades.values()).length);
    const trade = trades.get(orderId);
    if (trade?.status === TradeStatus.TRADE_STATUS_FILLED) return `filled at ${trade.price}`;
    if (trade?.status === TradeStatus.TRADE_STATUS_REJECTED) return `rejected: ${trade.reason}`;
  }
  return 'closed';
}
