import { Status } from '@stockbroker/rpc';
import type { Trade } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import {
  BUY,
  CLIENTS,
  expectErrorDetails,
  expectLiveStreams,
  expectSameAnswers,
  gatewayMetric,
  STREAMING,
  UNARY,
} from './cases.ts';
import { type CallingPage, type PageServer, servePage } from './openPage.ts';
import type { CallState, ClientName } from './page.ts';
import type { Call } from './pageClients.ts';

const MAX_BYTES = 65_536;

let broker: Broker;
let served: PageServer;
let page: CallingPage;
let alice: Customer;
/** Has more trades than a page. */
let busy: Customer;
beforeAll(async () => {
  served = await servePage();
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' }, MSFT: 'none' },
    env: { gateway: { GATEWAY_WEB_ORIGINS: served.origin, GATEWAY_MAX_BYTES: String(MAX_BYTES) } },
  });
  alice = await broker.customer({ cash: usd('100000.00') });
  busy = await broker.customer();
  await Promise.all(Array.from({ length: 501 }, () => busy.sells(1, 'AAPL')));
  page = await served.open(served.origin, gateway().endpoints.web ?? '');
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(async () => {
  await served?.close();
  await closeBroker(broker);
});

const gateway = () => broker.gateway(0);

const metric = (name: string) => gatewayMetric(broker, name);

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

  test('every unary method answers as it does over gRPC', () => expectSameAnswers({ broker, page, alice }, client));

  test('errors come with their details', () => expectErrorDetails({ page, alice }, client));

  test('requests up to the largest are taken, larger ones refused', async () => {
    const sized = (bytes: number) => ({ pageToken: 'x'.repeat(bytes) });
    expect(await failure('listTrades', sized(MAX_BYTES - 100))).toMatchObject({ code: Status.INVALID_ARGUMENT });
    expect(await failure('listTrades', sized(MAX_BYTES + 1))).toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
    expect(await failure('listTrades', sized(MAX_BYTES * 20))).toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
  });

  test('a page of 500 trades', async () => {
    const { trades, nextPageToken } = await answer<{ trades: Trade[]; nextPageToken: string }>(
      'listTrades',
      { pageSize: 500 },
      { token: busy.token },
    );
    expect(new Set(trades.map(({ orderId }) => orderId)).size).toBe(500);
    expect(nextPageToken).not.toBe('');
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

test('a deadline reaches the gateway, which then says what it waited for', async () => {
  await whileNobodyReadsTrades(async () => {
    const request = { orderId: crypto.randomUUID() };
    const call = (client: ClientName) => page.call(client, 'getTrade', request, { token: alice.token, timeoutMs: 5_000 });
    // Its own patience is longer, and what a client says by itself is DEADLINE_EXCEEDED.
    for (const { failure } of await Promise.all(CLIENTS.map(call)))
      expect(failure).toMatchObject({ code: Status.UNAVAILABLE, retryAfterMs: expect.any(Number) });
  });
});

test.each(['connect-web, gRPC-Web', 'connect-web, Connect'] as const)('%s: compressed requests are taken', async (client) => {
  const request = { pageToken: 'x'.repeat(10_000) };
  const options = { token: alice.token, zipped: true };
  expect((await page.call(client, 'getAccount', {}, options)).messages).toEqual([await alice.account()]);
  expect((await page.call(client, 'listTrades', request, options)).failure).toMatchObject({ code: Status.INVALID_ARGUMENT });
});

test('pages of other origins cannot call', async () => {
  const stranger = await served.open(served.strangeOrigin, gateway().endpoints.web ?? '');
  for (const client of CLIENTS) {
    const clientOrderId = `strange-${client.replace(/\W/g, '')}`;
    const { messages, failure } = await stranger.call(client, 'placeTrade', { ...BUY, clientOrderId }, { token: alice.token });
    expect({ messages, code: failure?.code }).toEqual({ messages: [], code: Status.UNKNOWN });
    expect(await broker.db.trade.count({ where: { clientOrderId } })).toBe(0);
  }
});

describe.each(STREAMING)('%s', (client) => {
  test('streams come live, and end at the gateway when they are cancelled', async () => {
    await expectLiveStreams({ broker, page }, client);
  });

  test('a stream ends with its deadline', async () => {
    const { failure } = await page.call(client, 'watch', {}, { timeoutMs: 500 });
    expect(failure).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
    await eventually(
      () => metric('server_streams'),
      (count) => count === 0,
    );
  });

  test('errors of a stream come with their details', async () => {
    const { failure } = await page.call(client, 'watchQuotes', {}, { token: alice.token });
    expect(failure).toMatchObject({ code: Status.INVALID_ARGUMENT, violations: [{ field: 'stock_tickers' }] });
    expect((await page.call(client, 'watchTrades', {})).failure).toMatchObject({ code: Status.UNAUTHENTICATED });
  });
});

test('a client without live streams is not left waiting', async () => {
  const [binary, connect] = await Promise.all(UNARY.map((client) => page.call(client, 'watch', {}, { timeoutMs: 5_000 })));
  // This one is given all that came, at the end.
  expect(binary).toMatchObject({ messages: [{ status: 1 }], failure: { code: Status.DEADLINE_EXCEEDED } });
  expect(connect).toMatchObject({ messages: [], failure: { code: Status.UNKNOWN, message: 'HTTP 415' } });
});

/** Calls that read trades hang. */
function whileNobodyReadsTrades(act: () => Promise<void>): Promise<void> {
  return broker.db.$transaction(
    async (transaction) => {
      await transaction.$executeRaw`LOCK TABLE trades IN ACCESS EXCLUSIVE MODE`;
      await act();
    },
    { timeout: 60_000 * PATIENCE },
  );
}
