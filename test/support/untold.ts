import type { Trade } from '@stockbroker/rpc/stockbroker';
import { createMetrics } from '@stockbroker/runtime';
import { createStore } from '@stockbroker/store';
import type { Broker, Customer } from '@stockbroker/testkit';
import { partitionOf } from '@stockbroker/trading';
import { unusedTradeId } from './reports.ts';

/** A trade that is stored without a wake-up, as if the gateway had died in between. The customer's retry, which wakes nobody, finds it. */
export async function placeUntold(broker: Broker, customer: Customer): Promise<Trade> {
  const options = {
    url: broker.databaseUrl,
    poolSize: 2,
    statementTimeoutMs: 5_000,
    maxBatch: 1,
    maxQueue: 1,
    onConnectionError: () => {},
  };
  const store = createStore(options, createMetrics('test'));
  const clientOrderId = 'untold';
  const order = { customerId: customer.id, clientOrderId, stockTicker: 'AAPL', type: 'buy', quantity: 1 } as const;
  await store.insertTrade({ ...order, id: unusedTradeId(), partition: partitionOf(customer.id, 100) });
  await store.close();
  return customer.buys(1, 'AAPL', { clientOrderId });
}
