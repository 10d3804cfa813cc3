import { BrokerClient, TradeType, webCalls } from '@stockbroker/client';
import { fileJournal } from '@stockbroker/client/node';

export async function buyOnce(url: string, token: string, folder: string, tell = console.log) {
  const broker = new BrokerClient({
    calls: webCalls({ url, token: () => token }),
    journal: fileJournal(folder), // In a browser: storageJournal(localStorage, customerId).
  });
  // Orders that the last run of this program sent without getting an answer.
  for (const { order, outcome } of await broker.resolvePendingOrders()) tell(order.clientOrderId, outcome);

  return broker.placeTrade({ stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 10 });
}
