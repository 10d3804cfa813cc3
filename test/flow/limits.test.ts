import { RpcError, Status } from '@stockbroker/rpc';
import type { Trade } from '@stockbroker/rpc/stockbroker';
import { sleep } from '@stockbroker/runtime';
import type { Broker, Customer } from '@stockbroker/testkit';
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

test('past its limits the gateway answers RESOURCE_EXHAUSTED with RetryInfo, and nothing of what it refused is stored', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const attempts = Array.from({ length: 200 }, (_, i) => alice.buys(1, 'AAPL', { clientOrderId: `order-${i}` }));
  const results = await Promise.allSettled(attempts);
  const placed = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value.orderId);
  const refusals = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
  for (const refusal of refusals) {
    expect(refusal).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      details: { info: { reason: 'OVERLOADED' }, retryAfterMs: 100 },
    });
  }
  // By either bound: calls in flight, and rows waiting for the database.
  expect(new Set(refusals.map(({ message }) => message))).toEqual(
    new Set([
      'the server has 20 calls in flight, its limit: try again shortly',
      'too many requests are waiting: try again shortly',
    ]),
  );
  const { trades } = await alice.calls().listTrades({ pageSize: 500 });
  expect(trades.map(({ orderId }) => orderId).toSorted()).toEqual(placed.toSorted());
});

/** Places a trade as RetryInfo says: again after a while, as often as it is refused for a limit. */
async function place(customer: Customer, clientOrderId: string): Promise<Trade> {
  for (;;) {
    try {
      return await customer.buys(1, 'AAPL', { clientOrderId });
    } catch (error) {
      if (!(error instanceof RpcError) || error.details.retryAfterMs === undefined) throw error;
      await sleep(Math.random() * 2 * error.details.retryAfterMs);
    }
  }
}

test('what was refused for a limit succeeds when it is tried again as RetryInfo says', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const trades = await Promise.all(Array.from({ length: 60 }, (_, i) => place(alice, `order-${i}`)));
  expect(new Set(trades.map(({ orderId }) => orderId)).size).toBe(60);
});

test('a request above the limit of bytes is refused', async () => {
  const alice = await broker.customer();
  const tooLarge = alice.buys(1, 'AAPL', { clientOrderId: 'x'.repeat(2_001) });
  await expect(tooLarge).rejects.toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
});

test('a call whose deadline passes fails with DEADLINE_EXCEEDED, and its retry is one trade', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const request = { stockTicker: 'AAPL', type: 1, quantity: 1, clientOrderId: 'hurried' } as const;
  await expect(alice.calls().placeTrade(request, { timeoutMs: 0 })).rejects.toMatchObject({ code: Status.DEADLINE_EXCEEDED });
  // What nobody waits for any more may still be in the queue, which holds one row here.
  const trade = await place(alice, request.clientOrderId);
  expect((await alice.calls().listTrades({})).trades.map(({ orderId }) => orderId)).toEqual([trade.orderId]);
});
