import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { RejectReason } from '@stockbroker/rpc/exchange';
import { type Trade, TradeType } from '@stockbroker/rpc/stockbroker';
import { Status } from '@stockbroker/rpc';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { CallingPage, type PageServer, servePage } from './openPage.ts';
import type { CallState, ClientName } from './page.ts';
import type { Call } from './pageClients.ts';

/** The clients that people have, in a real browser, on a page of another origin than the gateway's. */
const CLIENTS = [
  'grpc-web, text',
  'grpc-web, binary',
  'nice-grpc-web',
  'connect-web, gRPC-Web',
  'connect-web, Connect',
] as const satisfies ClientName[];
const MAX_BYTES = 65_536;
const BUY = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 1 };

let broker: Broker;
let served: PageServer;
let page: CallingPage;
let alice: Customer;
beforeAll(async () => {
  served = await servePage();
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' }, MSFT: 'none' },
    env: { gateway: { GATEWAY_WEB_ORIGINS: served.origin, GATEWAY_MAX_BYTES: String(MAX_BYTES) } },
  });
  alice = await broker.customer({ cash: usd('100000.00') });
  page = await served.open(served.origin, gateway().endpoints.web ?? '');
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(async () => {
  await served?.close();
  await closeBroker(broker);
});

const gateway = () => broker.gateway(0);

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${gateway().endpoints.admin}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, 'm').exec(text)?.[1]);
}

describe.each(CLIENTS)('%s', (client) => {
  const call = (method: Call['method'], request: object, given: Partial<Call> = {}): Promise<CallState> =>
    page.call(client, method, request, { token: alice.token, ...given });
  async function answer<T = unknown>(method: Call['method'], request: object, given: Partial<Call> = {}): Promise<T> {
    const { messages, failure } = await call(method, request, given);
    expect(failure).toBeUndefined();
    expect(messages).toHaveLength(1);
    return messages[0] as T;
  }
  const failure = async (...given: Parameters<typeof call>) => (await call(...given)).failure;

  test('every unary method answers as it does over gRPC', async () => {
    const placed = await alice.places({ ...BUY, clientOrderId: `${client.replace(/\W/g, '')}-1` });
    const { orderId, clientOrderId } = placed;
    expect(await answer<Trade>('placeTrade', { ...BUY, clientOrderId })).toMatchObject({ orderId, createdAt: placed.createdAt });
    await broker.exchange.rejects(placed, RejectReason.REJECT_REASON_OTHER, 'Börse zu – 取引停止 😀 100%');
    const requests = {
      getTrade: { orderId },
      listTrades: { pageSize: 2, statuses: [4] },
      getAccount: {},
      getQuote: { stockTicker: 'AAPL' },
      listInstruments: { pageSize: 3 },
    };
    for (const [method, request] of Object.entries(requests) as [keyof typeof requests, object][]) {
      expect(await answer(method, request), method).toEqual(await alice.calls()[method](request));
    }
    expect((await answer<Trade>('getTrade', { orderId })).reason).toContain('Börse zu – 取引停止 😀 100%');
    expect(await answer('check', {})).toEqual({ status: 1 });
  });

  test('errors come with their details', async () => {
    expect(await failure('placeTrade', { ...BUY, quantity: 0, clientOrderId: 'größer' })).toMatchObject({
      code: Status.INVALID_ARGUMENT,
      violations: [{ field: 'quantity' }, { field: 'client_order_id' }],
    });
    const { orderId, clientOrderId } = await alice.places(BUY);
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
  });

  test('requests up to the largest are taken, larger ones refused', async () => {
    const sized = (bytes: number) => ({ pageToken: 'x'.repeat(bytes) });
    expect(await failure('listTrades', sized(MAX_BYTES - 100))).toMatchObject({ code: Status.INVALID_ARGUMENT });
    expect(await failure('listTrades', sized(MAX_BYTES + 1))).toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
    expect(await failure('listTrades', sized(MAX_BYTES * 20))).toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
  });

  test('a cancelled call is cancelled at the gateway', async () => {
    await whileNobodyReadsTrades(async () => {
      const started = await page.start(client, 'getTrade', { orderId: crypto.randomUUID() }, { token: alice.token });
      await eventually(
        () => metric('server_calls'),
        (count) => count > 0,
      );
      const connections = await metric('server_connections');
      await started.cancel();
      expect((await started.ended()).failure).toMatchObject({ code: Status.CANCELLED });
      await eventually(
        () => metric('server_connections'),
        (count) => count < connections,
      );
    });
  });
});

/** Calls that read trades hang. */
function whileNobodyReadsTrades(act: () => Promise<void>): Promise<void> {
  return broker.db.$transaction(
    async (transaction) => {
      await transaction.$executeRaw`LOCK TABLE trades IN ACCESS EXCLUSIVE MODE`;
      await act();
    },
    { timeout: 60_000 },
  );
}
