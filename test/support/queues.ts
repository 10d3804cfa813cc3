import type { Trade } from '@stockbroker/rpc/stockbroker';
import type { Broker, Customer } from '@stockbroker/testkit';
import { expect } from 'vitest';

/** Trades of one customer in the order placed. */
export type Queue = readonly [Trade, Trade, Trade, ...Trade[]];

/**
 * Each customer places six trades: the first is open at the exchange, the others wait behind it.
 *
 * @param sent false: does not wait until the first ones are at the exchange
 */
export async function placeQueues(broker: Broker, customers: Customer[], { sent = true } = {}): Promise<Queue[]> {
  const queues = await Promise.all(customers.map(placeSix));
  if (sent) await Promise.all(queues.map(([first]) => broker.exchange.receives(first)));
  return queues;
}

async function placeSix(customer: Customer): Promise<Queue> {
  return [
    await customer.buys(2, 'AAPL'),
    await customer.sells(1, 'AAPL'),
    await customer.buys(3, 'AAPL'),
    await customer.sells(4, 'AAPL'),
    await customer.buys(1, 'AAPL'),
    await customer.sells(1, 'AAPL'),
  ];
}

/** Lets the exchange complete all orders: every trade is filled, each order is at the exchange once, in the order placed. */
export async function expectAllFilledInOrder(broker: Broker, queues: readonly Queue[]): Promise<void> {
  await broker.exchange.whileBehaving({ manual: false }, () => broker.allEnded());
  const ids = queues.map((trades) => trades.map(({ orderId }) => orderId));
  const journal = await broker.exchange.orderOf(queues.flat());
  expect(ids.map((own) => journal.filter((id) => own.includes(id)))).toEqual(ids);
  const filled = await broker.db.trade.count({ where: { id: { in: ids.flat() }, status: 'filled' } });
  expect(filled).toBe(ids.flat().length);
}
