import { Status } from '@stockbroker/rpc';
import { RejectReason } from '@stockbroker/rpc/exchange';
import { RejectCode, type Trade, TradeType, TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { expect, onTestFinished } from 'vitest';
import type { CallingPage, StartedCall } from './openPage.ts';
import type { ClientName } from './page.ts';
import type { Call } from './pageClients.ts';

/** What must hold of each client, whichever HTTP it speaks. The broker quotes AAPL at 9.90 and 10.00, and MSFT not at all. */

/** The clients that people have, in a real browser, on a page of another origin than the gateway's. */
export const STREAMING = ['grpc-web, text', 'nice-grpc-web', 'connect-web, gRPC-Web'] as const satisfies ClientName[];
/** The first takes no stream before its end; the second's protocol has streams that the gateway does not serve. */
export const UNARY = ['grpc-web, binary', 'connect-web, Connect'] as const satisfies ClientName[];
export const CLIENTS = [...STREAMING, ...UNARY];
export const BUY = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 1 };

interface Given {
  broker: Broker;
  page: CallingPage;
  alice: Customer;
}

export async function gatewayMetric(broker: Broker, name: string): Promise<number> {
  const text = await (await fetch(`${broker.gateway(0).endpoints.admin}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, 'm').exec(text)?.[1]);
}

/** Every unary method answers as it does over gRPC. */
export async function expectSameAnswers({ broker, page, alice }: Given, client: ClientName): Promise<void> {
  async function answer<T = unknown>(method: Call['method'], request: object): Promise<T> {
    const { messages, failure } = await page.call(client, method, request, { token: alice.token });
    expect(failure).toBeUndefined();
    expect(messages).toHaveLength(1);
    return messages[0] as T;
  }
  const placed = await alice.places({ ...BUY, clientOrderId: `${client.replace(/\W/g, '')}-1` });
  const { orderId, clientOrderId } = placed;
  // It waits for the one before.
  const { orderId: canceled } = await alice.buys(1, 'AAPL');
  const cancellation = await answer<Trade>('cancelTrade', { orderId: canceled });
  expect(cancellation).toMatchObject({ orderId: canceled, rejectCode: RejectCode.REJECT_CODE_CANCELED });
  expect(await alice.calls().cancelTrade({ orderId: canceled })).toEqual(cancellation);
  expect(await answer<Trade>('placeTrade', { ...BUY, clientOrderId })).toMatchObject({ orderId, createdAt: placed.createdAt });
  await broker.exchange.rejects(placed, RejectReason.REJECT_REASON_OTHER, 'Börse zu – 取引停止 😀 100%');
  const requests = {
    getTrade: { orderId },
    listTrades: { pageSize: 2, statuses: [4] },
    getAccount: {},
    getQuote: { stockTicker: 'AAPL' },
    listPrices: { stockTicker: 'AAPL' },
    listInstruments: { pageSize: 3 },
  };
  const unary = Object.entries(TradingServiceDefinition.methods).flatMap(([name, m]) => (m.responseStream ? [] : [name]));
  expect(['placeTrade', 'cancelTrade', ...Object.keys(requests)].toSorted()).toEqual(unary.toSorted());
  for (const [method, request] of Object.entries(requests) as [keyof typeof requests, object][]) {
    expect(await answer(method, request), method).toEqual(await alice.calls()[method](request));
  }
  expect((await answer<Trade>('getTrade', { orderId })).reason).toContain('Börse zu – 取引停止 😀 100%');
  expect(await answer('check', {})).toEqual({ status: 1 });
}

export async function expectErrorDetails({ page, alice }: Omit<Given, 'broker'>, client: ClientName): Promise<void> {
  const failure = async (method: Call['method'], request: object, given: Partial<Call> = {}) =>
    (await page.call(client, method, request, { token: alice.token, ...given })).failure;
  expect(await failure('placeTrade', { ...BUY, quantity: 0, clientOrderId: 'größer' })).toMatchObject({
    code: Status.INVALID_ARGUMENT,
    violations: [{ field: 'quantity' }, { field: 'client_order_id' }],
  });
  const { orderId, clientOrderId } = await alice.places(BUY);
  expect(await failure('cancelTrade', { orderId: crypto.randomUUID() })).toMatchObject({ code: Status.NOT_FOUND });
  expect(await failure('placeTrade', { ...BUY, quantity: 2, clientOrderId })).toMatchObject({
    code: Status.ALREADY_EXISTS,
    figures: { order_id: orderId },
  });
  expect(await failure('getQuote', { stockTicker: 'MSFT' })).toMatchObject({
    code: Status.UNAVAILABLE,
    reason: 'NO_QUOTE',
    retryAfterMs: 1_000,
  });
  expect(await failure('placeTrade', { ...BUY, customerId: crypto.randomUUID() })).toMatchObject({
    code: Status.PERMISSION_DENIED,
    message: 'customer_id is not the token’s customer; leave it out',
  });
  expect(await failure('getAccount', {}, { token: '' })).toMatchObject({ code: Status.UNAUTHENTICATED });
  expect(await failure('getAccount', {}, { token: 'made.up.token' })).toMatchObject({
    code: Status.UNAUTHENTICATED,
    reason: 'INVALID_TOKEN',
  });
}

/** Streams come live, and end at the gateway when they are cancelled. */
export async function expectLiveStreams({ broker, page }: Omit<Given, 'alice'>, client: ClientName): Promise<void> {
  const bob = await broker.customer({ cash: usd('1000.00') });
  const watching = (method: Call['method'], request: object) => page.start(client, method, request, { token: bob.token });
  const streams = await Promise.all([
    watching('watchTrades', {}),
    watching('watchQuotes', { stockTickers: ['AAPL', 'MSFT'] }),
    watching('watch', {}),
  ]);
  onTestFinished(() => Promise.all(streams.map((stream) => stream.cancel())).then(() => {}));
  const [trades, quotes, health] = streams;
  expect(await told(trades, 1)).toMatchObject([{ event: { $case: 'snapshot', value: { revision: 0n } } }]);
  const { orderId } = await bob.buys(1, 'AAPL');
  const change = { firstRevision: 1n, trades: [{ orderId }] };
  expect((await told(trades, 2))[1]).toMatchObject({ event: { $case: 'change', value: change } });
  const quoted = [
    { stockTicker: 'AAPL', bid: '9.9000' },
    { stockTicker: 'MSFT', bid: '' },
  ];
  expect(await told(quotes, 1)).toMatchObject([{ quotes: quoted, stale: false }]);
  expect(await told(health, 1)).toEqual([{ status: 1 }]);
  expect(await gatewayMetric(broker, 'server_streams')).toBe(3);
  for (const stream of streams) {
    await stream.cancel();
    expect((await stream.ended()).failure).toMatchObject({ code: Status.CANCELLED });
  }
  await eventually(
    () => gatewayMetric(broker, 'server_streams'),
    (count) => count === 0,
  );
}

/** The first messages of a stream which goes on. */
export async function told(stream: StartedCall, count: number): Promise<unknown[]> {
  const { messages, ended } = await eventually(
    () => stream.look(),
    (state) => state.messages.length >= count || state.ended,
  );
  expect(ended).toBe(false);
  return messages.slice(0, count);
}
