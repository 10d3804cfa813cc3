import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RpcChannel, Status } from '@stockbroker/rpc';
import { HealthDefinition } from '@stockbroker/rpc/health';
import { type PlaceTradeRequest, TradeType, TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, openIssuer } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

let broker: Broker;
let alice: Customer;
beforeAll(async () => {
  broker = await openBroker();
  alice = await broker.customer({ cash: usd('1000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const TICKER = { field: 'stock_ticker', description: 'must be a ticker in capital letters, e.g. AAPL or BRK.B' };
const TYPE = { field: 'type', description: 'must be TRADE_TYPE_BUY or TRADE_TYPE_SELL' };
const QUANTITY = { field: 'quantity', description: 'must be a whole number from 1 to 1000000' };
const CLIENT_ORDER_ID = { field: 'client_order_id', description: 'must be 1 to 64 printable ASCII characters without spaces' };
const NOTHING_STORED = async () => expect((await alice.calls().listTrades({})).trades).toEqual([]);

test.each<[string, Partial<PlaceTradeRequest>, object[]]>([
  ['no ticker', { stockTicker: '' }, [TICKER]],
  ['a ticker in small letters', { stockTicker: 'aapl' }, [TICKER]],
  ['a ticker with a share class too long', { stockTicker: 'BRK.ABC' }, [TICKER]],
  ['a ticker with a space', { stockTicker: 'AAPL ' }, [TICKER]],
  ['no type', { type: TradeType.TRADE_TYPE_UNSPECIFIED }, [TYPE]],
  ['a type of a later version', { type: 7 as TradeType }, [TYPE]],
  ['no quantity', { quantity: 0 }, [QUANTITY]],
  ['a negative quantity', { quantity: -1 }, [QUANTITY]],
  ['a quantity above the most', { quantity: 1_000_001 }, [QUANTITY]],
  ['a client_order_id with a space', { clientOrderId: 'a b' }, [CLIENT_ORDER_ID]],
  ['a client_order_id of 65 characters', { clientOrderId: 'x'.repeat(65) }, [CLIENT_ORDER_ID]],
  ['a client_order_id that is not ASCII', { clientOrderId: 'ordér' }, [CLIENT_ORDER_ID]],
  [
    'everything wrong at once',
    { stockTicker: '$', type: TradeType.TRADE_TYPE_UNSPECIFIED, quantity: -5, clientOrderId: '\n' },
    [TICKER, TYPE, QUANTITY, CLIENT_ORDER_ID],
  ],
])('INVALID_ARGUMENT with every field at fault: %s', async (_what, change, violations) => {
  const request = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 1, clientOrderId: 'fine', ...change };
  await expect(alice.places(request)).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT, details: { violations } });
  await NOTHING_STORED();
});

test('UNKNOWN_TICKER: a well-formed ticker that the exchange does not list is INVALID_ARGUMENT, for people and programs', async () => {
  await expect(alice.buys(1, 'ZZZZZ')).rejects.toMatchObject({
    code: Status.INVALID_ARGUMENT,
    message: 'stock_ticker ZZZZZ is not listed; ListInstruments names all tickers',
    details: {
      violations: [{ field: 'stock_ticker', description: 'ZZZZZ is not listed; ListInstruments names all tickers' }],
      info: { reason: 'UNKNOWN_TICKER' },
    },
  });
  await NOTHING_STORED();
});

test.each([1, 1_000_000])('the quantity %i is accepted, and so is a share class', async (quantity) => {
  const bob = await broker.customer();
  const trade = await bob.ended(await bob.buys(quantity, 'BRK.B'));
  expect(trade).toMatchObject({ quantity, stockTicker: 'BRK.B', rejectFigures: { available: '0.0000' } });
});

const unsigned = (claims: object) =>
  `${[{ alg: 'none' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;

test.each<[string, () => Promise<string | undefined> | string, string]>([
  ['no token', async () => undefined, 'send a token as `authorization: Bearer <token>`'],
  ['another scheme', () => 'Basic YWxpY2U6c2VjcmV0', 'send a token as `authorization: Bearer <token>`'],
  ['no JWT', () => 'Bearer letmein', 'the token is not valid here'],
  ['an expired token', () => bearer({ lifetimeSeconds: -60 }), 'the token has expired'],
  ['a token for another audience', () => bearer({ audience: 'bank' }), 'the token’s claim "aud" is not accepted'],
  ['a token of another issuer', () => bearer({ issuer: 'https://evil.test' }), 'the token’s claim "iss" is not accepted'],
  [
    'a token that says it needs no signature',
    () => `Bearer ${unsigned({ sub: alice.id, iss: 'https://issuer.stockbroker.test', aud: 'stockbroker', exp: inAnHour })}`,
    'the token is not valid here',
  ],
  [
    'a token signed with another key under the issuer’s name',
    async () => `Bearer ${await (await openIssuer(join(broker.folder, 'impostor'))).tokenFor(alice.id)}`,
    'the token is not valid here',
  ],
  [
    'a token with another’s id put in',
    () =>
      `Bearer ${alice.token.replace(/\.[^.]+\./, `.${Buffer.from(`{"sub":"${crypto.randomUUID()}"}`).toString('base64url')}.`)}`,
    'the token is not valid here',
  ],
  [
    'a token whose subject is no customer',
    async () => `Bearer ${await broker.system.issuer.tokenFor('admin')}`,
    'the token’s subject is not a customer id',
  ],
  ['a token of 9000 bytes', () => `Bearer ${'x'.repeat(9_000)}`, 'the token is too long'],
])('UNAUTHENTICATED: %s', async (_what, authorization, message) => {
  const channel = new RpcChannel(broker.system.gatewayAddress);
  const header = await authorization();
  const options = header === undefined ? {} : { headers: { authorization: header } };
  const client = channel.client(TradingServiceDefinition);
  const refused = {
    code: Status.UNAUTHENTICATED,
    message: expect.stringContaining(message),
    details: { info: { reason: message === 'the token has expired' ? 'TOKEN_EXPIRED' : 'INVALID_TOKEN' } },
  };
  const calls = [
    client.placeTrade({ stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 1 }, options),
    client.getTrade({ orderId: crypto.randomUUID() }, options),
    client.listTrades({}, options),
    client.getAccount({}, options),
    client.getQuote({ stockTicker: 'AAPL' }, options),
    client.listInstruments({}, options),
  ];
  await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(refused)));
  channel.close();
});

async function bearer(options: { lifetimeSeconds?: number; audience?: string; issuer?: string }): Promise<string> {
  return `Bearer ${await broker.system.issuer.tokenFor(alice.id, options)}`;
}

test('a trade in another customer’s name is PERMISSION_DENIED, in one’s own name it is not', async () => {
  const [bob, eve] = await broker.customers(2, {});
  const refused = { code: Status.PERMISSION_DENIED, details: { info: { reason: 'OTHER_CUSTOMER' } } };
  await expect(eve?.buys(1, 'AAPL', { customerId: bob?.id ?? '' })).rejects.toMatchObject(refused);
  expect(await eve?.buys(1, 'AAPL', { customerId: eve.id })).toMatchObject({ customerId: eve?.id });
  expect((await bob?.calls().listTrades({}))?.trades).toEqual([]);
});

test('another customer’s trade is NOT_FOUND, like one that there is not; an id that is none is INVALID_ARGUMENT', async () => {
  const [bob, eve] = await broker.customers(2, {});
  const trade = await bob?.buys(1, 'AAPL');
  const read = (orderId = '') => eve?.calls().getTrade({ orderId });
  const notFound = (id = '') => ({ code: Status.NOT_FOUND, message: `there is no trade ${id}`, details: {} });
  await expect(read(trade?.orderId)).rejects.toMatchObject(notFound(trade?.orderId));
  const none = crypto.randomUUID();
  await expect(read(none)).rejects.toMatchObject(notFound(none));
  await expect(read('1')).rejects.toMatchObject({
    code: Status.INVALID_ARGUMENT,
    details: { violations: [{ field: 'order_id' }] },
  });
});

test('a customer without an account gets NOT_FOUND', async () => {
  const headers = { authorization: `Bearer ${await broker.system.issuer.tokenFor(crypto.randomUUID())}` };
  const refused = { code: Status.NOT_FOUND, details: { info: { reason: 'NO_ACCOUNT' } } };
  const channel = new RpcChannel(broker.system.gatewayAddress, headers);
  const client = channel.client(TradingServiceDefinition);
  await expect(client.getAccount({})).rejects.toMatchObject(refused);
  await expect(client.placeTrade({ stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 1 })).rejects.toMatchObject(
    refused,
  );
  channel.close();
});

const SERVERS: [string, () => string | undefined, string][] = [
  ['gateway', () => broker.gateway(0).endpoints.grpc, 'stockbroker.v1.TradingService'],
  ['callback', () => broker.callback(0).endpoints.grpc?.replace('grpc://', ''), 'exchange.v1.CallbackService'],
  ['exchange', () => broker.exchange.process.endpoints.grpc, 'exchange.v1.ExchangeService'],
];

test.each(SERVERS)('the %s answers health checks', async (_name, address) => {
  const channel = new RpcChannel(address() ?? '');
  expect(await channel.client(HealthDefinition).check({})).toEqual({ status: 1 });
  channel.close();
});

test.each(SERVERS)(
  'a stranger’s tool finds all services of the %s by reflection, with their methods',
  async (_name, address, service) => {
    const buf = join(import.meta.dirname, '../../node_modules/.bin/buf');
    const reflect = (what: string) =>
      promisify(execFile)(buf, ['curl', '--http2-prior-knowledge', '--protocol', 'grpc', what, `http://${address()}`]);
    const services = (await reflect('--list-services')).stdout.split('\n');
    expect(services).toEqual(expect.arrayContaining([service, 'grpc.health.v1.Health']));
    const methods = (await reflect('--list-methods')).stdout;
    expect(methods).toContain(`${service}/`);
  },
);

test('each server tells that it is alive and ready, and its metrics', async () => {
  for (const app of [broker.gateway(0), broker.worker(0), broker.callback(0), broker.exchange.process]) {
    const get = (path: string) => fetch(`${app.endpoints.admin}${path}`);
    expect([(await get('/livez')).status, (await get('/readyz')).status, (await get('/other')).status]).toEqual([200, 200, 404]);
    expect(await (await get('/metrics')).text()).toContain('process_cpu_seconds_total');
  }
});
