import { afterAll, beforeAll, expect, test } from 'vitest';
import { GrpcCaller } from '../../../test/hostile/grpcCall.ts';
import { callHeaders, FLAG, frame, grpcMessage, HELLO, openRaw, TYPE } from '../../../test/hostile/http2Frames.ts';
import { addressOf } from '../src/address.ts';
import { ExchangeServiceDefinition, StreamQuotesResponse } from '../src/exchange.ts';
import { type Admit, type Admitted, GrpcServer, RpcChannel, RpcError, Status, WebServer } from '../src/index.ts';
import { asJson, QUOTES, statusOf, webProto } from './webFixture.ts';

const GET_ORDERS = '/exchange.v1.ExchangeService/GetOrders';
const unimplemented = async () => Promise.reject(new RpcError(Status.UNIMPLEMENTED, 'not in this test'));

/** What `admit` has seen, and what it is to do. */
const seen: { method: string; authorization: string | undefined; address: string }[] = [];
/** How long streams may go on. */
let until: Admitted['until'];
let released = 0;
const admit: Admit = async (context) => {
  const authorization = context.header('authorization');
  seen.push({ method: context.method, authorization, address: context.address });
  if (authorization === 'nobody') throw new RpcError(Status.UNAUTHENTICATED, 'who?');
  return {
    ...(until && { until }),
    release: () => {
      released += 1;
    },
  };
};

let server: GrpcServer;
let web: WebServer;
let address: string;
let base: string;
/** Ends of handlers. */
let ended = 0;
beforeAll(async () => {
  const shared = { host: '127.0.0.1', port: 0, maxRequestBytes: 1_024, trustedHops: 1 };
  const toRpcError = (error: unknown) => (error instanceof RpcError ? error : new RpcError(Status.INTERNAL, String(error)));
  server = new GrpcServer({ ...shared, maxInFlight: 10, admit, toRpcError });
  server.add(ExchangeServiceDefinition, {
    submitOrders: unimplemented,
    getOrders: async () => ({ reports: [], unknownClientOrderIds: [] }),
    listInstruments: unimplemented,
    async *listOrders() {},
    async *streamQuotes(_request, context) {
      yield StreamQuotesResponse.fromPartial({});
      // A handler that waits for news that do not come.
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve, { once: true }));
      ended += 1;
    },
  });
  web = new WebServer({ ...shared, calls: server.calls, maxArriving: 10, allowedOrigins: [] });
  address = `127.0.0.1:${await server.listen()}`;
  base = `http://127.0.0.1:${await web.listen()}`;
});
afterAll(() => Promise.all([web.stop(1_000), server.stop(1_000)]));

const post = (path: string, headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer> = '{}') =>
  fetch(base + path, { method: 'POST', headers: { ...asJson, ...headers }, body });

test('admission: what it refuses does not reach the handler, on either port', async () => {
  const channel = new RpcChannel(address, { authorization: 'nobody' });
  const client = channel.client(ExchangeServiceDefinition);
  await expect(client.getOrders({})).rejects.toMatchObject({ code: Status.UNAUTHENTICATED, message: 'who?' });
  await expect(client.streamQuotes({})[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: Status.UNAUTHENTICATED });
  expect((await post(GET_ORDERS, { authorization: 'nobody' })).status).toBe(401);
  const streamed = await post(QUOTES, { authorization: 'nobody', ...webProto }, new Uint8Array(5));
  expect(await statusOf(streamed)).toBe(String(Status.UNAUTHENTICATED));
  channel.close();
});

test('admission: a call that has ended is told so, once', async () => {
  const before = released;
  const caller = new GrpcCaller(address);
  expect(await caller.call({ path: GET_ORDERS, body: grpcMessage(Buffer.alloc(0)) })).toMatchObject({ code: Status.OK });
  caller.close();
  expect((await post(GET_ORDERS, {})).status).toBe(200);
  expect(released).toBe(before + 2);
});

test('admission: a stream ends when it may go on no longer, with the reason, on both ports', async () => {
  const [releasedBefore, endedBefore] = [released, ended];
  const error = new RpcError(Status.UNAUTHENTICATED, 'the token has expired', { info: { reason: 'TOKEN_EXPIRED' } });
  until = { atMs: Date.now() + 3_000, error };
  const channel = new RpcChannel(address);
  const quotes = channel.client(ExchangeServiceDefinition).streamQuotes({})[Symbol.asyncIterator]();
  await quotes.next();
  const response = await post(QUOTES, webProto, new Uint8Array(5));
  const over = { code: Status.UNAUTHENTICATED, details: { info: { reason: 'TOKEN_EXPIRED' } } };
  await expect(quotes.next()).rejects.toMatchObject(over);
  expect(await statusOf(response)).toBe(String(Status.UNAUTHENTICATED));
  await expect.poll(() => [released, ended, server.load.streams]).toEqual([releasedBefore + 2, endedBefore + 2, 0]);
  until = undefined;
  channel.close();
});

test('authorization sent twice arrives as both, over HTTP/2 and over HTTP/1.1', async () => {
  const twice = [['authorization', 'Bearer a'] as const, ['authorization', 'Bearer b'] as const];
  const grpc = await openRaw(Number(address.split(':')[1]));
  const headers = frame(TYPE.headers, FLAG.endHeaders, 1, callHeaders(GET_ORDERS, twice));
  seen.length = 0;
  grpc.write(Buffer.concat([HELLO, headers, frame(TYPE.data, FLAG.endStream, 1, grpcMessage(Buffer.alloc(0)))]));
  await expect.poll(() => seen).toHaveLength(1);
  grpc.destroy();
  const http = await openRaw(Number(new URL(base).port));
  const lines = ['host: x', 'content-type: application/json', 'Authorization: Bearer a', 'authorization: Bearer b'];
  http.write(Buffer.from(`POST ${GET_ORDERS} HTTP/1.1\r\n${lines.join('\r\n')}\r\ncontent-length: 2\r\n\r\n{}`));
  await expect.poll(() => seen).toHaveLength(2);
  http.destroy();
  expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer a, Bearer b', 'Bearer a, Bearer b']);
});

test('behind a trusted proxy the address is what it says, on both ports', async () => {
  seen.length = 0;
  const caller = new GrpcCaller(address);
  const body = grpcMessage(Buffer.alloc(0));
  await caller.call({ path: GET_ORDERS, body, headers: { 'x-forwarded-for': '192.0.2.66, 192.0.2.1' } });
  caller.close();
  await post(GET_ORDERS, { 'x-forwarded-for': '192.0.2.66, 2001:db8::1' });
  expect(seen.map((call) => call.address)).toEqual(['192.0.2.1', '2001:db8::1']);
});

test.each([
  ['nobody is trusted', '192.0.2.1', 0, '10.0.0.1'],
  ['there is no header', undefined, 1, '10.0.0.1'],
  ['the client has written more', '6.6.6.6, 192.0.2.1', 1, '192.0.2.1'],
  ['there are two proxies', '6.6.6.6, 192.0.2.1, 10.0.0.2', 2, '192.0.2.1'],
  ['one of two proxies was passed by', '192.0.2.1', 2, '10.0.0.1'],
  ['it is no address', 'unknown', 1, '10.0.0.1'],
  ['it is an address with a port', '192.0.2.1:80', 1, '192.0.2.1'],
  ['it is an address in brackets with a port', '[2001:db8::1]:80', 1, '2001:db8::1'],
  ['it is an address in brackets', '[2001:db8::1]', 1, '2001:db8::1'],
  ['it is no address with a port', 'unknown:80', 1, '10.0.0.1'],
])('the address when %s', (_when, forwardedFor, hops, expected) => {
  expect(addressOf('10.0.0.1:50123', forwardedFor, hops)).toBe(expected);
});
