import type { BrokerClient } from '@stockbroker/client';

export async function firstAsk(broker: BrokerClient, stockTicker: string) {
  for await (const { quotes, isStale } of broker.watchQuotes([stockTicker])) {
    const ask = quotes.get(stockTicker)?.ask;
    if (ask && !isStale) return ask;
  }
  return undefined;
}
