import { RpcError, Status } from '@stockbroker/rpc';
import type { Trade } from '@stockbroker/rpc/stockbroker';
import { sleep } from '@stockbroker/runtime';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({
    gateways: 1,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { gateway: { QUEUE_ROWS: '1', BATCH_ROWS: '1', GATEWAY_MAX_IN_FLIGHT: '20', GATEWAY_MAX_BYTES: '2000' } },
  });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

/** Many, because one customer's trades are executed one after the other. */
const CUSTOMERS = 20;
const openCustomers = () => broker.customers(CUSTOMERS, { cash: usd('1000.00') });

test('past its limits the gateway answers RESOURCE_EXHAUSTED with RetryInfo, and nothing of what it refused is stored', async () => {
  const customers = await openCustomers();
  const placed: string[] = [];
  const messages = new Set<string>();
  const flood = async () => {
    const attempts = Array.from({ length: 10 }, () => customers.map((customer) => customer.buys(1, 'AAPL'))).flat();
    for (const result of await Promise.allSettled(attempts)) {
      if (result.status === 'fulfilled') {
        placed.push(result.value.orderId);
        continue;
      }
      expect(result.reason).toMatchObject({
        code: Status.RESOURCE_EXHAUSTED,
        details: { info: { reason: 'OVERLOADED' }, retryAfterMs: 100 },
      });
      messages.add(result.reason.message);
    }
    return messages;
  };
  // By either bound: calls in flight, and rows waiting for the database. Which of them is reached first is a matter of luck.
  await eventually(flood, ({ size }) => size >= 2, { what: 'refusals by both bounds' });
  expect([...messages].toSorted()).toEqual([
    'the server has 20 calls in flight, its limit: try again shortly',
    'too many requests are waiting: try again shortly',
  ]);
  const ofThem = { customerId: { in: customers.map(({ id }) => id) } };
  const stored = await broker.db.trade.findMany({ where: ofThem, select: { id: true } });
  expect(stored.map(({ id }) => id).toSorted()).toEqual(placed.toSorted());
});

/** Places a trade as RetryInfo says: again after a while, as often as it is refused for a limit. */
async function place(customer: Customer, clientOrderId: string, over: AbortSignal): Promise<Trade> {
  for (;;) {
    try {
      return await customer.buys(1, 'AAPL', { clientOrderId });
    } catch (error) {
      if (over.aborted || !(error instanceof RpcError) || error.details.retryAfterMs === undefined) throw error;
      await sleep(Math.random() * 2 * error.details.retryAfterMs);
    }
  }
}

test('what was refused for a limit succeeds when it is tried again as RetryInfo says', async ({ signal }) => {
  const customers = await openCustomers();
  const orders = customers.flatMap((customer) => ['a', 'b', 'c'].map((id) => place(customer, id, signal)));
  const trades = await Promise.all(orders);
  expect(new Set(trades.map(({ orderId }) => orderId)).size).toBe(3 * CUSTOMERS);
});

test('a request above the limit of bytes is refused', async () => {
  const alice = await broker.customer();
  const tooLarge = alice.buys(1, 'AAPL', { clientOrderId: 'x'.repeat(2_001) });
  await expect(tooLarge).rejects.toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
});

test('a call whose deadline passes fails with DEADLINE_EXCEEDED, and its retry is one trade', async ({ signal }) => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const request = { stockTicker: 'AAPL', type: 1, quantity: 1, clientOrderId: 'hurried' } as const;
  await expect(alice.calls().placeTrade(request, { timeoutMs: 0 })).rejects.toMatchObject({ code: Status.DEADLINE_EXCEEDED });
  // What nobody waits for any more may still be in the queue, which holds one row here.
  const trade = await place(alice, request.clientOrderId, signal);
  expect((await alice.calls().listTrades({})).trades.map(({ orderId }) => orderId)).toEqual([trade.orderId]);
});
