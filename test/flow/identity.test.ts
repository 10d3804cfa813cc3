import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RpcChannel, Status } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { callHeaders, FLAG, frame, grpcMessage, HELLO, openRaw, TYPE } from '../hostile/http2Frames.ts';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

const ACCOUNT = '/stockbroker.v1.TradingService/GetAccount';
let broker: Broker;
let alice: Customer;
beforeAll(async () => {
  broker = await openBroker({
    env: {
      gateway: {
        GATEWAY_CUSTOMER_CALLS_PER_SECOND: '2',
        GATEWAY_CUSTOMER_BURST_CALLS: '10',
        GATEWAY_CUSTOMER_STREAMS: '2',
        GATEWAY_ADDRESS_CALLS_PER_SECOND: '20',
        GATEWAY_ADDRESS_BURST_CALLS: '200',
        GATEWAY_WEB_TRUSTED_HOPS: '1',
      },
    },
  });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));
// Limits are of each customer: a new one has all of them.
const newAlice = async () => {
  alice = await broker.customer({ cash: usd('1000.00') });
};
beforeAll(newAlice);

let addresses = 0;
function newAddress(): string {
  addresses += 1;
  return `10.0.${Math.floor(addresses / 250)}.${addresses % 250}`;
}

/** By JSON, each from an address of its own unless one is given. */
async function post(method: string, body: object, { token = alice.token, from = newAddress() } = {}) {
  const response = await fetch(`${broker.gateway(0).endpoints.web}/stockbroker.v1.TradingService/${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'x-forwarded-for': from },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { code?: string; details?: { debug: Record<string, unknown> }[] };
  return { status: response.status, retryAfter: response.headers.get('retry-after'), ...answer };
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${broker.gateway(0).endpoints.admin}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(name.replace('}', ',app="gateway"}')) || each.startsWith(name));
  return Number(line?.split(' ').at(-1) ?? 0);
}

/** The audit log. */
function refusals(): Record<string, unknown>[] {
  const lines = readFileSync(join(broker.folder, 'system/logs/gateway-1.log'), 'utf8').split('\n');
  return lines.filter((line) => line.includes('"event":"identity-refus')).map((line) => JSON.parse(line));
}

test.each<[string, string, string[]]>([
  ['read', 'trade', ['PlaceTrade']],
  ['trade', 'read', ['GetAccount', 'ListTrades', 'GetTrade', 'GetQuote', 'ListInstruments', 'ListPrices']],
  ['openid traders', 'trade', ['PlaceTrade']],
  ['', 'read', ['GetAccount']],
])('a token with the scope "%s" is PERMISSION_DENIED where "%s" is needed', async (scope, missing, methods) => {
  const token = await broker.system.issuer.tokenFor(alice.id, { scope });
  for (const method of methods) {
    expect(await post(method, {}, { token })).toMatchObject({
      status: 403,
      code: 'permission_denied',
      details: [{ debug: { reason: 'MISSING_SCOPE', metadata: { scope: missing } } }],
    });
  }
});

test('scopes over gRPC: reading does not need to trade, and streams are read', async () => {
  await newAlice();
  const open = async (scope: string) =>
    new RpcChannel(broker.system.gatewayAddress, {
      authorization: `Bearer ${await broker.system.issuer.tokenFor(alice.id, { scope })}`,
    });
  const [reader, trader] = [await open('read'), await open('trade')];
  expect(await reader.client(TradingServiceDefinition).getAccount({})).toMatchObject({ customerId: alice.id });
  const stream = trader.client(TradingServiceDefinition).watchTrades({})[Symbol.asyncIterator]();
  await expect(stream.next()).rejects.toMatchObject({
    code: Status.PERMISSION_DENIED,
    details: { info: { reason: 'MISSING_SCOPE' } },
  });
  for (const channel of [reader, trader]) channel.close();
});

test('two tokens in one call are refused, on both ports, also when both are good', async () => {
  const before = await metric('identity_refused_total{reason="two-tokens"}');
  const bearer = `Bearer ${alice.token}`;
  const [grpcPort = 0, webPort = 0] = [broker.system.gatewayAddress, new URL(broker.gateway(0).endpoints.web ?? '').host].map(
    (host) => Number(host.split(':')[1]),
  );
  const grpc = await openRaw(grpcPort);
  const twice = [['authorization', bearer] as const, ['authorization', bearer] as const];
  const headers = frame(TYPE.headers, FLAG.endHeaders, 1, callHeaders(ACCOUNT, twice));
  grpc.write(Buffer.concat([HELLO, headers, frame(TYPE.data, FLAG.endStream, 1, grpcMessage(Buffer.alloc(0)))]));
  await eventually(
    () => metric('identity_refused_total{reason="two-tokens"}'),
    (count) => count === before + 1,
  );
  grpc.destroy();
  const web = await openRaw(webPort);
  const lines = ['host: x', 'content-type: application/json', `authorization: ${bearer}`, `authorization: ${bearer}`];
  web.write(Buffer.from(`POST ${ACCOUNT} HTTP/1.1\r\n${lines.join('\r\n')}\r\ncontent-length: 2\r\n\r\n{}`));
  const answer = await eventually(
    async () => web.received().toString(),
    (text) => text.includes('}'),
  );
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  web.destroy();
  expect(await metric('identity_refused_total{reason="two-tokens"}')).toBe(before + 2);
});

test('a stream ends when its token does, and says that a new token will do', async () => {
  await newAlice();
  const token = await broker.system.issuer.tokenFor(alice.id, { lifetimeSeconds: 2 }); // Five seconds are forgiven.
  const channel = new RpcChannel(broker.system.gatewayAddress, { authorization: `Bearer ${token}` });
  const over = { code: Status.UNAUTHENTICATED, details: { info: { reason: 'TOKEN_EXPIRED' } } };
  const client = channel.client(TradingServiceDefinition);
  const readAll = async (stream: AsyncIterable<unknown>) => {
    let seen = 0;
    try {
      for await (const _event of stream) seen += 1;
    } catch (error) {
      return { seen, error };
    }
    return { seen, error: undefined };
  };
  const ended = await Promise.all([readAll(client.watchTrades({})), readAll(client.watchQuotes({ stockTickers: ['AAPL'] }))]);
  for (const { seen, error } of ended) {
    expect(seen).toBeGreaterThan(0);
    expect(error).toMatchObject(over);
  }
  await expect(client.getAccount({})).rejects.toMatchObject(over);
  channel.close();
});

test('a customer has so many streams, on all connections together, and again when one has ended', async () => {
  await newAlice();
  const watchers = [alice.watches(), alice.watches()];
  await Promise.all(watchers.map((watcher) => watcher.until('the snapshot', ({ snapshots }) => snapshots.length > 0)));
  const third = alice.calls().watchTrades({})[Symbol.asyncIterator]();
  await expect(third.next()).rejects.toMatchObject({
    code: Status.RESOURCE_EXHAUSTED,
    details: { info: { reason: 'TOO_MANY_STREAMS', metadata: { of: 'customer', streams: '2' } }, retryAfterMs: 5_000 },
  });
  await watchers[0]?.stop();
  const again = async () => {
    const stream = alice.calls().watchTrades({})[Symbol.asyncIterator]();
    const answer = await stream.next().catch(() => undefined);
    await stream.return?.();
    return answer;
  };
  await eventually(again, (answer) => answer !== undefined);
  await watchers[1]?.stop();
});

test('a customer’s calls are limited over both ports together, and another customer’s are not', async () => {
  await newAlice();
  const bob = await broker.customer();
  const overGrpc = () =>
    alice.account().then(
      () => undefined,
      ({ code, details }) => ({ code, details }),
    );
  const overWeb = async () => {
    const answer = await post('GetAccount', {});
    return answer.status === 200 ? undefined : answer;
  };
  const limited = () => metric('calls_limited_total{limit="customer calls"}');
  const before = await limited();
  const answers = await Promise.all([
    Promise.all(Array.from({ length: 20 }, overGrpc)),
    Promise.all(Array.from({ length: 20 }, overWeb)),
  ]);
  const byGrpc = answers[0].filter((answer) => answer !== undefined);
  const byWeb = answers[1].filter((answer) => answer !== undefined);
  expect(40 - byGrpc.length - byWeb.length).toBeGreaterThanOrEqual(10);
  const metadata = { of: 'customer', calls_per_second: '2', burst_calls: '10' };
  expect(byGrpc[0]).toEqual({
    code: Status.RESOURCE_EXHAUSTED,
    details: { info: { reason: 'RATE_LIMITED', metadata }, retryAfterMs: expect.any(Number) },
  });
  expect(byWeb[0]).toMatchObject({
    status: 429,
    code: 'resource_exhausted',
    retryAfter: '1',
    details: [{ debug: { reason: 'RATE_LIMITED', metadata } }, { debug: { retryDelay: expect.stringMatching(/^0\.\d+s$/) } }],
  });
  expect((await limited()) - before).toBe(byGrpc.length + byWeb.length);
  await bob.account();
});

test('an address that tries tokens is limited ten times as soon, and other addresses are not', async () => {
  await newAlice();
  const guess = () => post('GetAccount', {}, { token: 'guessed', from: '198.51.100.1' });
  // Of 200 calls at once, and 20 more each second.
  const answers = await Promise.all(Array.from({ length: 150 }, guess));
  const limited = answers.filter(({ status }) => status !== 401);
  expect(answers.length - limited.length).toBeGreaterThanOrEqual(20);
  expect(answers.length - limited.length).toBeLessThan(100);
  expect(limited[0]).toMatchObject({ status: 429, details: [{ debug: { metadata: { of: 'address' } } }, {}] });
  expect(await post('GetAccount', {}, { from: '198.51.100.2' })).toMatchObject({ status: 200 });
});

test('each refusal is a line of one shape in the log, without the token; a flood is some lines and a count', async () => {
  const from = '203.0.113.7';
  const token = alice.token.replace(/\.[^.]+$/, `.${'A'.repeat(86)}`);
  const line = await eventually(
    async () => {
      await post('GetAccount', {}, { token, from });
      return refusals().find(({ address: seen }) => seen === from);
    },
    (found) => found !== undefined,
    { everyMs: 1_000 },
  );
  expect(line).toEqual({
    level: 40,
    time: expect.any(String),
    name: 'gateway',
    pid: expect.any(Number),
    hostname: expect.any(String),
    event: 'identity-refused',
    reason: 'signature',
    method: ACCOUNT,
    address: from,
    peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    kid: 'development',
    sub: alice.id,
    msg: 'identity refused',
  });
  await newAlice();
  const other = { customerId: crypto.randomUUID(), stockTicker: 'AAPL', type: 'BUY', quantity: 1 };
  expect(await post('PlaceTrade', other, { from: '203.0.113.8' })).toMatchObject({ status: 403 });
  const before = refusals().length;
  await Promise.all(Array.from({ length: 300 }, () => post('GetAccount', {}, { token: 'x' })));
  const flood = await eventually(
    async () => refusals().slice(before),
    (lines) => lines.some(({ event }) => event === 'identity-refusals-suppressed'),
  );
  const suppressed = flood.reduce((sum, each) => sum + Number(each.suppressed ?? 0), 0);
  expect(flood.length).toBeLessThan(200);
  expect(suppressed).toBeGreaterThan(100);
  const logged = JSON.stringify(refusals());
  expect(logged).toContain('other-customer');
  for (const part of [...alice.token.split('.').slice(1), ...token.split('.').slice(1)]) expect(logged).not.toContain(part);
});
