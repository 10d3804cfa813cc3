import { parseWebhookSecret, RpcChannel, Status, signWebhook } from '@stockbroker/rpc';
import { CallbackServiceDefinition, type OrderReport, OrderState, ReportOrdersRequest, Side } from '@stockbroker/rpc/exchange';
import { type Trade, TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker, Customer } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { madeUpFill } from '../support/reports.ts';

/** A customer with an open buy of 10 at the exchange, in whose name all callbacks of this file lie. */
let broker: Broker;
let alice: Customer;
let trade: Trade;
let http: string;
let grpc: RpcChannel;
beforeAll(async () => {
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { callback: { CALLBACK_MAX_BYTES: '2000' } },
  });
  alice = await broker.customer({ cash: usd('1000.00') });
  trade = await alice.buys(10, 'AAPL');
  await broker.exchange.receives(trade);
  http = broker.callback(0).endpoints.http ?? '';
  grpc = new RpcChannel((broker.callback(0).endpoints.grpc ?? '').replace('grpc://', ''));
});
afterEach(async () => {
  expect(await alice.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_EXECUTED });
  expect(await alice.account()).toMatchObject({ cash: '1000.0000', held: '105.0000', positions: [] });
});
afterAll(async () => {
  grpc.close();
  await expectExactBooks(broker, {});
  await closeBroker(broker);
});

type Headers = Record<string, string>;

const sign = (body: Uint8Array | string, nowMs = Date.now()): Headers => ({
  ...signWebhook(parseWebhookSecret(broker.system.callbackSecret), Buffer.from(body), nowMs),
});
const post = (body: string, headers: Headers, url = http) =>
  fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
const toJson = (report: OrderReport) => JSON.stringify(ReportOrdersRequest.toJSON({ reports: [report] }));
const toBytes = (report: OrderReport) => ReportOrdersRequest.encode({ reports: [report] }).finish();
const reportOverGrpc = (report: OrderReport, headers: Headers) =>
  grpc.client(CallbackServiceDefinition).reportOrders({ reports: [report] }, { headers });
const quarantined = (raw: string) => broker.db.callbackQuarantine.findMany({ where: { raw: Buffer.from(raw) } });

const UNACCEPTED: [string, (body: Uint8Array | string) => Headers, RegExp][] = [
  ['unsigned', () => ({}), /^webhook-id, webhook-timestamp or webhook-signature is missing$/],
  [
    'signed with another secret',
    (body) => ({ ...signWebhook(Buffer.alloc(32, 7), Buffer.from(body), Date.now()) }),
    /does not match$/,
  ],
  ['signed for another body', () => sign('{"reports": []}'), /^webhook-signature does not match$/],
  ['signed under another id', (body) => ({ ...sign(body), 'webhook-id': 'msg_other' }), /^webhook-signature does not match$/],
  ['signed for another time', (body) => ({ ...sign(body), 'webhook-timestamp': '1' }), /^webhook-timestamp is \d+ s old$/],
  ['signed six minutes ago', (body) => sign(body, Date.now() - 360_000), /^webhook-timestamp is 36\d s old$/],
  ['signed six minutes ahead', (body) => sign(body, Date.now() + 360_000), /^webhook-timestamp is 3[56]\d s in the future$/],
];

test.each(UNACCEPTED)('a callback over HTTP that is %s gets 401 and changes nothing', async (_what, headersFor, problem) => {
  const body = toJson(madeUpFill(trade.orderId));
  const response = await post(body, headersFor(body));
  expect([response.status, await response.json()]).toEqual([401, { error: expect.stringMatching(problem) }]);
  expect(await broker.db.callbackQuarantine.count({ where: { tradeId: trade.orderId, why: { contains: 'webhook' } } })).toBe(0);
});

test.each(UNACCEPTED)(
  'a callback over gRPC that is %s is UNAUTHENTICATED and changes nothing',
  async (_what, headersFor, problem) => {
    const report = madeUpFill(trade.orderId);
    const refused = { code: Status.UNAUTHENTICATED, message: expect.stringMatching(problem) };
    await expect(reportOverGrpc(report, headersFor(toBytes(report)))).rejects.toMatchObject(refused);
  },
);

test('two secrets are accepted while one is being replaced, and a header may carry several signatures', async () => {
  const body = '{"reports": []}';
  const headers = sign(body);
  const several = { ...headers, 'webhook-signature': `v1,bm90IHRoaXMgb25l ${headers['webhook-signature']}` };
  expect((await post(body, several)).status).toBe(200);
});

/** Asking for these again would bring the same: they are kept, and end the exchange’s retries. */
test.each([
  ['is no JSON', 'not JSON'],
  ['is no UTF-8', '\uFFFF{"reports": []'],
  ['is no object', '[]'],
  ['has no reports', '{}'],
  ['has reports that are no list', '{"reports": 1}'],
  ['has a report that is no object', '{"reports": [null]}'],
  ['has an unknown enum value', '{"reports": [{"side": "SIDE_SHORT"}]}'],
])('a signed body that %s is kept as it came and gets 200', async (_what, body) => {
  expect((await post(body, sign(body))).status).toBe(200);
  expect(await quarantined(body)).toMatchObject([
    { tradeId: null, why: 'malformed: the body is not a ReportOrdersRequest in JSON', resolvedAt: null },
  ]);
});

test.each<[string, Partial<OrderReport>, string]>([
  ['no price', { price: '' }, 'malformed: price must be a positive decimal below 1,000,000,000 with at most four places'],
  [
    'a price of zero',
    { price: '0.0000' },
    'malformed: price must be a positive decimal below 1,000,000,000 with at most four places',
  ],
  [
    'a negative price',
    { price: '-1.0000' },
    'malformed: price must be a positive decimal below 1,000,000,000 with at most four places',
  ],
  [
    'a price with five decimals',
    { price: '1.00001' },
    'malformed: price must be a positive decimal below 1,000,000,000 with at most four places',
  ],
  [
    'no execution id',
    { executionId: '' },
    'malformed: execution_id must have 1 to 64 characters, none of them a control character',
  ],
  [
    'an execution id too long',
    { executionId: 'x'.repeat(65) },
    'malformed: execution_id must have 1 to 64 characters, none of them a control character',
  ],
  [
    'a zero byte',
    { executionId: 'x\0' },
    'malformed: execution_id must have 1 to 64 characters, none of them a control character',
  ],
  ['a ticker with a zero byte', { ticker: 'AAPL\0' }, 'the database refuses its figures'],
  [
    'a price of a billion',
    { price: '1000000000.0000' },
    'malformed: price must be a positive decimal below 1,000,000,000 with at most four places',
  ],
  ['no time', { executedAt: undefined }, 'malformed: executed_at is not set'],
  ['no side', { side: Side.SIDE_UNSPECIFIED }, 'malformed: side is not set'],
  ['no state', { state: OrderState.ORDER_STATE_UNSPECIFIED }, 'malformed: state is not set'],
  ['the state open', { state: OrderState.ORDER_STATE_OPEN }, 'malformed: the order is reported as open'],
])('a signed report with %s is kept and gets a success, over both protocols', async (_what, change, why) => {
  const report = { ...madeUpFill(trade.orderId), ...change };
  await broker.db.callbackQuarantine.deleteMany({});
  expect((await post(toJson(report), sign(toJson(report)))).status).toBe(200);
  await reportOverGrpc(report, sign(toBytes(report)));
  expect(await broker.db.callbackQuarantine.findMany({})).toMatchObject([{ tradeId: trade.orderId, why }]);
});

test('a signed report over gRPC with an enum value that this version does not know is kept and gets a success', async () => {
  const report = { ...madeUpFill(trade.orderId), side: 99 as Side };
  await broker.db.callbackQuarantine.deleteMany({});
  await reportOverGrpc(report, sign(toBytes(report)));
  expect(await broker.db.callbackQuarantine.findMany({})).toMatchObject([{ tradeId: trade.orderId }]);
});

test('a report of an id that is no UUID is kept without a trade', async () => {
  const report = madeUpFill("'; DROP TABLE trades; --");
  expect((await post(toJson(report), sign(toJson(report)))).status).toBe(200);
  const kept = await broker.db.callbackQuarantine.findMany({ where: { why: 'malformed: client_order_id is not a UUID' } });
  expect(kept).toMatchObject([{ tradeId: null }]);
});

test('a body above the limit gets 413, another path or method 404', async () => {
  const body = ' '.repeat(2_001);
  expect((await post(body, sign(body))).status).toBe(413);
  expect((await post('{}', sign('{}'), `${http}/other`)).status).toBe(404);
  expect((await fetch(http)).status).toBe(404);
});
