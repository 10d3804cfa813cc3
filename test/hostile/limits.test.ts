import { deflateSync, gzipSync } from 'node:zlib';
import { GrpcServer, type GrpcServerOptions, RpcChannel, RpcError, Status } from '@stockbroker/rpc';
import { HealthDefinition } from '@stockbroker/rpc/health';
import { PlaceTradeRequest, Trade, TradeType, TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { eventually } from '@stockbroker/testkit';
import { afterEach, expect, test } from 'vitest';
import { GrpcCaller } from './grpcCall.ts';
import { callHeaders, FLAG, frame, grpcMessage, HELLO, openRaw, TYPE } from './http2Frames.ts';

/** Each limit of a gRPC server, reached with small numbers. */
const opened: { close: () => unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});
const refused: string[] = [];

async function open(
  limits: NonNullable<GrpcServerOptions['limits']>,
  maxInFlight = 100,
): Promise<{ server: GrpcServer; address: string; port: number }> {
  refused.length = 0;
  const server = new GrpcServer({
    host: '127.0.0.1',
    port: 0,
    maxRequestBytes: 4_096,
    maxInFlight,
    limits,
    toRpcError: (error) => (error instanceof RpcError ? error : new RpcError(Status.INTERNAL, 'internal')),
    onRefused: (why) => refused.push(why),
  });
  const unused = async () => Promise.reject(new RpcError(Status.UNIMPLEMENTED, `\ud800${'x'.repeat(50_000)}`));
  server.add(TradingServiceDefinition, {
    placeTrade: async ({ stockTicker }) => Trade.create({ stockTicker }),
    cancelTrade: unused,
    getTrade: unused,
    listTrades: unused,
    getAccount: unused,
    getQuote: unused,
    listInstruments: unused,
    listPrices: unused,
    async *watchTrades() {},
    async *watchQuotes() {},
  });
  const port = await server.listen();
  opened.push({ close: () => server.stop(200) });
  return { server, port, address: `127.0.0.1:${port}` };
}

function client(address: string) {
  const channel = new RpcChannel(address);
  opened.push(channel);
  return channel.client(TradingServiceDefinition);
}

const order = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 1 };
const PATH = '/stockbroker.v1.TradingService/PlaceTrade';
const openCall = (stream: number) => frame(TYPE.headers, FLAG.endHeaders, stream, callHeaders(PATH));

async function strangers(count: number, port: number, says = HELLO) {
  const raws = await Promise.all(Array.from({ length: count }, () => openRaw(port)));
  for (const raw of raws) {
    raw.write(says);
    opened.push({ close: () => raw.destroy() });
  }
  return raws;
}

test('connections: past the limit the oldest stranger gives way; who has had an answer stays', async () => {
  const { server, address, port } = await open({ maxConnections: 10 });
  const known = client(address);
  await known.placeTrade(order);
  const raws = await strangers(30, port);
  await Promise.all(raws.slice(0, 21).map((raw) => raw.ended));
  expect(server.load.connections).toBe(10);
  expect(raws.filter((raw) => !raw.socket.destroyed)).toHaveLength(9);
  expect(await client(address).placeTrade(order)).toMatchObject({ stockTicker: 'AAPL' });
  expect(await known.placeTrade(order)).toMatchObject({ stockTicker: 'AAPL' });
  expect(new Set(refused)).toEqual(new Set(['too many connections']));
});

test('connections: asking for the health makes no stranger known; when all are known, a newcomer is refused', async () => {
  const { address, port } = await open({ maxConnections: 10 });
  const asking = new GrpcCaller(address);
  opened.push(asking);
  await asking.call({ path: `/${HealthDefinition.fullName}/Check`, body: grpcMessage(Buffer.alloc(0)) });
  await Promise.all(Array.from({ length: 10 }, () => client(address).placeTrade(order)));
  await eventually(
    () => asking.isOpen,
    (isOpen) => !isOpen,
  );
  const [late] = await strangers(1, port);
  await late?.ended;
});

test('connections: one on which nothing comes is closed, and one without calls too', async () => {
  const { server, port, address } = await open({ requestTimeoutMs: 2_000, idleTimeoutMs: 3_000 });
  const [silent, half, idle] = [
    ...(await strangers(1, port, Buffer.alloc(0))),
    ...(await strangers(1, port, HELLO.subarray(0, 20))),
    ...(await strangers(1, port)),
  ];
  const good = client(address);
  await good.placeTrade(order);
  await Promise.all([silent?.ended, half?.ended, idle?.ended]);
  await eventually(
    () => server.load.connections,
    (count) => count === 0,
  );
  expect(await good.placeTrade(order)).toMatchObject({ stockTicker: 'AAPL' });
  expect(refused).toEqual(['no handshake', 'no handshake']);
});

test('requests: compressed ones are read, and one that unpacks to more than the limit is refused before it is unpacked whole', async () => {
  const { address } = await open({});
  const caller = new GrpcCaller(address);
  opened.push(caller);
  const packed = (bytes: Uint8Array, encoding: 'gzip' | 'deflate') => ({
    path: PATH,
    headers: { 'grpc-encoding': encoding },
    body: grpcMessage(encoding === 'gzip' ? gzipSync(bytes) : deflateSync(bytes), { flag: 1 }),
  });
  const good = PlaceTradeRequest.encode(PlaceTradeRequest.fromPartial(order)).finish();
  // Of 3 MB a thousandth comes over the network: less than the limit of 4 kB.
  const bomb = Buffer.alloc(3_000_000);
  for (const encoding of ['gzip', 'deflate'] as const) {
    expect(await caller.call(packed(good, encoding))).toMatchObject({ code: Status.OK });
    const attack = packed(bomb, encoding);
    expect(attack.body.length).toBeLessThan(4_096);
    expect(await caller.call(attack)).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      message: expect.stringContaining('4096'),
    });
  }
  expect(await caller.call(packed(good, 'gzip'))).toMatchObject({ code: Status.OK });
});

test('requests: one that does not arrive is ended with DEADLINE_EXCEEDED, and leaves nothing behind', async () => {
  const { server, address } = await open({ requestTimeoutMs: 2_000 });
  const caller = new GrpcCaller(address);
  opened.push(caller);
  const body = grpcMessage(Buffer.alloc(10), { length: 1_000 });
  const answers = await Promise.all(Array.from({ length: 20 }, () => caller.call({ path: PATH, body, ends: false })));
  for (const answer of answers)
    expect(answer).toMatchObject({ code: Status.DEADLINE_EXCEEDED, message: 'the request did not arrive within 2000 ms' });
  expect(server.load.arriving).toBe(0);
  expect(refused).toEqual(Array(20).fill('slow request'));
});

test('requests: past the limit of those arriving the slowest gives way, so that good ones are served', async () => {
  const { server, address, port } = await open({ requestTimeoutMs: 60_000 }, 10);
  const [raw] = await strangers(1, port, Buffer.concat([HELLO, ...Array.from({ length: 256 }, (_, i) => openCall(2 * i + 1))]));
  await eventually(
    () => server.load.arriving,
    (count) => count === 256,
  );
  const good = client(address);
  await eventually(
    () =>
      good.placeTrade(order).then(
        () => true,
        () => false,
      ),
    (served) => served,
  );
  expect(server.load.arriving).toBeLessThanOrEqual(256);
  expect(raw?.socket.destroyed).toBe(false);
});

test('streams: past the limit one more is RESOURCE_EXHAUSTED with a time to try again', async () => {
  const { server, address } = await open({ maxStreams: 2 });
  const channel = new RpcChannel(address);
  opened.push(channel);
  const health = channel.client(HealthDefinition);
  const abort = new AbortController();
  const watches = [1, 2].map(() => health.watch({}, { signal: abort.signal })[Symbol.asyncIterator]());
  await Promise.all(watches.map((watch) => watch.next()));
  const overloaded = { code: Status.RESOURCE_EXHAUSTED, details: { info: { reason: 'OVERLOADED' }, retryAfterMs: 100 } };
  await expect(health.watch({})[Symbol.asyncIterator]().next()).rejects.toMatchObject(overloaded);
  abort.abort();
  await eventually(
    () => server.load.streams,
    (count) => count === 0,
  );
});

test('calls on one connection: what is above the limit is refused by HTTP/2 itself', async () => {
  const { server, port } = await open({ maxCallsPerConnection: 5 });
  await strangers(1, port, Buffer.concat([HELLO, ...Array.from({ length: 50 }, (_, i) => openCall(2 * i + 1))]));
  await eventually(
    () => server.load.arriving,
    (count) => count === 5,
  );
});

test('answers: a long and malformed message of an error is cut and mended, so that it arrives', async () => {
  const { address } = await open({});
  const error = await client(address)
    .getTrade({})
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: Status.UNIMPLEMENTED, message: `\ufffd${'x'.repeat(511)}…` });
});

test('answers: a client of reflection that does not read gets no more than it takes', async () => {
  const { port, address } = await open({});
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const symbol = 'stockbroker.v1.TradingService';
  const question = grpcMessage(Buffer.concat([Buffer.from([0x22, symbol.length]), Buffer.from(symbol)]));
  const [raw] = await strangers(1, port, Buffer.concat([HELLO, frame(TYPE.headers, FLAG.endHeaders, 1, callHeaders(path))]));
  const before = process.memoryUsage().rss;
  // As many as the server’s window lets through: 64 kB of questions, which would be 30 MB of answers.
  for (let i = 0; i < Math.floor(65_000 / question.length); i += 1) raw?.write(frame(TYPE.data, 0, 1, question));
  expect(await client(address).placeTrade(order)).toMatchObject({ stockTicker: 'AAPL' });
  expect(process.memoryUsage().rss - before).toBeLessThan(20_000_000);
  const broken = new GrpcCaller(address);
  opened.push(broken);
  expect(await broken.call({ path, body: grpcMessage(Buffer.from([0xff])) })).toMatchObject({ code: Status.INVALID_ARGUMENT });
});
