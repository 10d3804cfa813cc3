import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

const ORIGIN = 'https://app.example.com';
let broker: Broker;
let alice: Customer;
beforeAll(async () => {
  broker = await openBroker({
    gateways: 2,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { gateway: { GATEWAY_WEB_ORIGINS: `${ORIGIN}, https://other.example.com` }, exchange: { EXCHANGE_MANUAL: 'off' } },
  });
  await broker.exchange.behaves({ manual: false });
  alice = await broker.customer({ cash: usd('1000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

/** A call as curl makes it. */
async function call(method: string, body: object, { token = alice.token, gateway = 0 } = {}) {
  const url = `${broker.system.gateways[gateway]?.endpoints.web}/stockbroker.v1.TradingService/${method}`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-www-form-urlencoded', origin: ORIGIN },
    body: JSON.stringify(body),
  });
  expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('JSON: a buy from its order to its fill, and every other method, over two gateways', async () => {
  const order = { stockTicker: 'AAPL', type: 'BUY', quantity: 10, clientOrderId: 'from-curl' };
  const placed = await call('PlaceTrade', order);
  expect(placed).toMatchObject({ status: 200, body: { stockTicker: 'AAPL', type: 'TRADE_TYPE_BUY', quantity: 10 } });
  const { orderId } = placed.body;
  // Both ways are one broker: the retry over gRPC, at another gateway, finds the trade.
  expect(await alice.buys(10, 'AAPL', { clientOrderId: 'from-curl' }, 1)).toMatchObject({ orderId });
  const filled = await eventually(
    () => call('GetTrade', { orderId }, { gateway: 1 }),
    ({ body }) => body.status === 'TRADE_STATUS_FILLED',
  );
  expect(filled.body).toMatchObject({ price: '10.0000', executedAt: expect.stringMatching(/^\d{4}-.*Z$/) });
  expect((await call('ListTrades', { statuses: ['FILLED'] })).body).toMatchObject({ trades: [{ orderId }] });
  expect((await call('GetAccount', {})).body).toMatchObject({
    cash: '900.0000',
    positions: [{ stockTicker: 'AAPL', quantity: '10' }],
  });
  expect((await call('GetQuote', { stockTicker: 'AAPL' })).body).toMatchObject({ bid: '9.9000', ask: '10.0000' });
  expect((await call('ListInstruments', { pageSize: 1 })).body).toMatchObject({ instruments: [{ stockTicker: 'AAPL' }] });
});

test('JSON: the same refusals as over gRPC', async () => {
  const order = { stockTicker: 'AAPL', type: 'SELL', quantity: 0 };
  expect(await call('PlaceTrade', order)).toMatchObject({
    status: 400,
    body: {
      code: 'invalid_argument',
      details: [{ type: 'google.rpc.BadRequest', debug: { fieldViolations: [{ field: 'quantity' }] } }],
    },
  });
  expect(await call('GetAccount', {}, { token: 'made-up' })).toMatchObject({
    status: 401,
    body: { code: 'unauthenticated', details: [{ debug: { reason: 'INVALID_TOKEN' } }] },
  });
  const other = { ...order, quantity: 1, customerId: crypto.randomUUID() };
  expect(await call('PlaceTrade', other)).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
  expect(await call('GetTrade', { orderId: crypto.randomUUID() })).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('calls of both ports are in the same metrics', async () => {
  await call('GetAccount', {}, { gateway: 1 });
  const metrics = await (await fetch(`${broker.system.gateways[1]?.endpoints.admin}/metrics`)).text();
  const count = /^rpc_server_seconds_count\{.*GetAccount".*code="OK".*\} ([0-9]+)$/m.exec(metrics)?.[1];
  expect(Number(count)).toBeGreaterThan(0);
});
