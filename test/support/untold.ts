import type { Trade } from '@stockbroker/rpc/stockbroker';
import type { Broker, Customer } from '@stockbroker/testkit';
import { partitionOf } from '@stockbroker/trading';
import { unusedTradeId } from './reports.ts';
import { withStore } from './store.ts';

/** A trade that is stored without a wake-up, as if the gateway had died in between. The customer's retry, which wakes nobody, finds it. */
export async function placeUntold(broker: Broker, customer: Customer): Promise<Trade> {
  const clientOrderId = 'untold';
  const order = {
    customerId: customer.id,
    clientOrderId,
    stockTicker: 'AAPL',
    type: 'buy',
    quantity: 1,
    queueForOpen: false,
  } as const;
  const trade = { ...order, id: unusedTradeId(), partition: partitionOf(customer.id, 100) };
  await withStore(broker, (store) => store.insertTrade(trade));
  return customer.buys(1, 'AAPL', { clientOrderId });
}
