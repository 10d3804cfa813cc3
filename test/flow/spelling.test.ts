import { parseWebhookSecret, RpcChannel, Status, signWebhook } from '@stockbroker/rpc';
import { CallbackServiceDefinition, type OrderReport, ReportOrdersRequest } from '@stockbroker/rpc/exchange';
import { type Trade, TradeStatus, TradeType, TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { madeUpFill } from '../support/reports.ts';

/** Ids in capitals, as Swift and .NET may write them, and numbers in JSON, as people write them. */
let broker: Broker;
let alice: Customer;
beforeAll(async () => {
  broker = await openBroker({ quotes: { AAPL: { bid: '9.90', ask: '10.00' } } });
});
beforeEach(async () => {
  alice = await broker.customer({ cash: usd('1000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const loud = (id: string) => id.toUpperCase();
const sign = (body: Uint8Array | string) => ({
  ...signWebhook(parseWebhookSecret(broker.system.callbackSecret), Buffer.from(body), Date.now()),
});

async function post(method: string, body: string) {
  const response = await fetch(`${broker.gateway(0).endpoints.web}/stockbroker.v1.TradingService/${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${alice.token}`, 'content-type': 'application/json' },
    body,
  });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

test('capitals: one’s own customer_id and order_id are known in any spelling, and answered in one', async () => {
  const placed = await alice.buys(1, 'AAPL', { customerId: loud(alice.id), clientOrderId: 'Order-1' });
  expect(placed).toMatchObject({ customerId: alice.id, clientOrderId: 'Order-1' });
  expect(await alice.calls().getTrade({ orderId: loud(placed.orderId) })).toMatchObject({ orderId: placed.orderId });
  // The client's own id is text: its letters count.
  const other = await alice.buys(1, 'AAPL', { clientOrderId: 'order-1' });
  expect(other.orderId).not.toBe(placed.orderId);
  const json = JSON.stringify({ customerId: loud(alice.id), stockTicker: 'AAPL', type: 'BUY', quantity: 1 });
  expect(await post('PlaceTrade', json)).toMatchObject({ status: 200, answer: { customerId: alice.id } });
  await alice.placedElsewhere(placed, other);
  await expect(alice.buys(1, 'AAPL', { customerId: loud(crypto.randomUUID()) })).rejects.toMatchObject({
    code: Status.PERMISSION_DENIED,
  });
});

test('capitals: a trade is canceled by its id in any spelling', async () => {
  const placed = await alice.buys(1, 'AAPL');
  const ended = await alice
    .calls()
    .cancelTrade({ orderId: loud(placed.orderId) })
    .catch((error: unknown) => error);
  // It may have been sent before.
  expect([TradeStatus.TRADE_STATUS_REJECTED, undefined]).toContain((ended as Trade).status);
  if (ended instanceof Error)
    expect(ended).toMatchObject({
      code: Status.FAILED_PRECONDITION,
      details: { info: { metadata: { order_id: placed.orderId } } },
    });
});

test('capitals: a token whose subject is in capitals is the same customer’s', async () => {
  const token = await broker.system.issuer.tokenFor(loud(alice.id));
  const channel = new RpcChannel(broker.system.gatewayAddress, { authorization: `Bearer ${token}` });
  const client = channel.client(TradingServiceDefinition);
  expect(await client.getAccount({})).toMatchObject({ customerId: alice.id, cash: '1000.0000' });
  const order = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 1, customerId: alice.id };
  const placed = await client.placeTrade(order);
  expect(await alice.placedElsewhere()).toMatchObject({ orderId: placed.orderId, customerId: alice.id });
  channel.close();
});

test.each<[string, (report: OrderReport) => Promise<unknown>]>([
  [
    'HTTP',
    async (report) => {
      const body = JSON.stringify(ReportOrdersRequest.toJSON({ reports: [report] }));
      const response = await fetch(broker.callback(0).endpoints.http ?? '', { method: 'POST', body, headers: sign(body) });
      expect(response.status).toBe(200);
    },
  ],
  [
    'gRPC',
    async (report) => {
      const channel = new RpcChannel((broker.callback(0).endpoints.grpc ?? '').replace('grpc://', ''));
      const headers = sign(ReportOrdersRequest.encode({ reports: [report] }).finish());
      await channel.client(CallbackServiceDefinition).reportOrders({ reports: [report] }, { headers });
      channel.close();
    },
  ],
])(
  'capitals: a callback over %s that names its order in capitals settles the trade, and so does its repetition',
  async (_protocol, send) => {
    const trade = await alice.buys(10, 'AAPL');
    await broker.exchange.receives(trade);
    const report = await broker.exchange.fillsSilently(trade, { price: usd('10.00') });
    for (let i = 0; i < 2; i += 1) await send({ ...report, clientOrderId: loud(trade.orderId) });
    expect(await alice.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED });
    expect(await broker.db.callbackQuarantine.count()).toBe(0);
  },
);

test.each(['0x10', '0b101', '0o17', '+5', '5.', '.5', '1e1', '5.0', ' 5', '5 ', '', '05', '5_0', '1n', '５', 'five', 'NaN'])(
  'JSON: the quantity "%s" is INVALID_ARGUMENT with its field, and nothing is stored',
  async (quantity) => {
    const { status, answer } = await post('PlaceTrade', JSON.stringify({ stockTicker: 'AAPL', type: 'BUY', quantity }));
    expect([status, answer]).toEqual([400, expect.objectContaining({ code: 'invalid_argument' })]);
    const [violation] = (answer as { details: { debug: { fieldViolations: object[] } }[] }).details;
    expect(violation?.debug.fieldViolations).toEqual([
      { field: 'quantity', description: expect.stringMatching(/^must be a whole number in decimal digits/) },
    ]);
    expect((await alice.calls().listTrades({})).trades).toEqual([]);
  },
);

test.each(['5', '"5"', '5.0', '0.5e1'])('JSON: the quantity %s is five shares', async (quantity) => {
  const { status, answer } = await post('PlaceTrade', `{"stockTicker":"AAPL","type":"BUY","quantity":${quantity}}`);
  expect([status, answer]).toMatchObject([200, { quantity: 5 }]);
  await alice.placedElsewhere();
});

test.each(['"0xA"', '"+10"', '"10."', '" 10"', '"1e1"', 'true', '[10]', '10.5'])(
  'JSON: a report of %s shares is kept, settles nothing, and the others in its callback are booked',
  async (quantity) => {
    const [wrong, right] = [
      await alice.buys(10, 'AAPL'),
      await (await broker.customer({ cash: usd('1000.00') })).buys(10, 'AAPL'),
    ];
    await Promise.all([wrong, right].map((trade) => broker.exchange.receives(trade)));
    const fill = await broker.exchange.fillsSilently(right, { price: usd('10.00') });
    const reports = [madeUpFill(wrong.orderId), fill].map((report) =>
      JSON.stringify((ReportOrdersRequest.toJSON({ reports: [report] }) as { reports: object[] }).reports[0]),
    );
    const body = `{"reports":[${reports[0]?.replace('"quantity":10', `"quantity":${quantity}`)},${reports[1]}]}`;
    const response = await fetch(broker.callback(0).endpoints.http ?? '', { method: 'POST', body, headers: sign(body) });
    expect(response.status).toBe(200);
    const kept = await eventually(
      () => broker.db.callbackQuarantine.findMany({ where: { tradeId: wrong.orderId }, select: { why: true } }),
      (rows) => rows.length > 0,
    );
    expect(kept).toEqual([{ why: expect.stringMatching(/^malformed: quantity must be a whole number/) }]);
    expect(await alice.trade(wrong)).toMatchObject({ status: TradeStatus.TRADE_STATUS_EXECUTED });
    expect((await broker.db.trade.findUniqueOrThrow({ where: { id: right.orderId } })).status).toBe('filled');
    await broker.db.callbackQuarantine.deleteMany({});
  },
);
