import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HealthDefinition } from '../src/generated/grpc/health/v1/health.ts';
import { ServerReflectionRequest, ServerReflectionResponse } from '../src/generated/grpc/reflection/v1/reflection.ts';
import { GrpcServer, RpcChannel, RpcError, Status } from '../src/index.ts';
import { TradeType, TradingServiceDefinition } from '../src/stockbroker.ts';

const unimplemented = async () => {
  throw new RpcError(Status.UNIMPLEMENTED, 'not in this test');
};
const held = Promise.withResolvers<void>();
const cancelled = Promise.withResolvers<unknown>();
let server: GrpcServer;
let channel: RpcChannel;
let address: string;

beforeAll(async () => {
  server = new GrpcServer({
    host: '127.0.0.1',
    port: 0,
    maxRequestBytes: 1_024,
    maxInFlight: 2,
    toRpcError: (error) => (error instanceof RpcError ? error : new RpcError(Status.INTERNAL, 'internal')),
  });
  server.add(TradingServiceDefinition, {
    placeTrade: async (request, context) => {
      if (request.quantity === 13) {
        throw new RpcError(Status.INVALID_ARGUMENT, 'unlucky', {
          violations: [{ field: 'quantity', description: 'must not be 13' }],
          info: { reason: 'UNLUCKY', metadata: { needed: '12' } },
          retryAfterMs: 1_500,
        });
      }
      if (request.quantity === 2) await held.promise;
      if (request.quantity === 3) {
        context.signal.addEventListener('abort', () => cancelled.resolve(context.signal.reason));
        await cancelled.promise;
      }
      return { ...(await import('../src/stockbroker.ts')).Trade.create({ stockTicker: request.stockTicker }) };
    },
    cancelTrade: unimplemented,
    getTrade: unimplemented,
    listTrades: async () => Promise.reject(new TypeError('a bug with secrets in its message')),
    getAccount: unimplemented,
    getQuote: unimplemented,
    listInstruments: unimplemented,
    listPrices: unimplemented,
    async *watchTrades() {},
    async *watchQuotes() {},
  });
  address = `127.0.0.1:${await server.listen()}`;
  channel = new RpcChannel(address);
});

afterAll(async () => {
  channel.close();
  await server.stop(1_000);
});

const order = (quantity: number, stockTicker = 'AAPL') => ({ stockTicker, type: TradeType.TRADE_TYPE_BUY, quantity });

test('rpc: a typed call goes and comes back', async () => {
  expect(await channel.client(TradingServiceDefinition).placeTrade(order(1, 'BRK.B'))).toMatchObject({ stockTicker: 'BRK.B' });
});

test('rpc: an error arrives with its code, message, violations, figures and time to retry', async () => {
  await expect(channel.client(TradingServiceDefinition).placeTrade(order(13))).rejects.toMatchObject({
    code: Status.INVALID_ARGUMENT,
    message: 'unlucky',
    details: {
      violations: [{ field: 'quantity', description: 'must not be 13' }],
      info: { reason: 'UNLUCKY', metadata: { needed: '12' } },
      retryAfterMs: 1_500,
    },
  });
});

test('rpc: an unexpected error tells the client nothing of itself', async () => {
  await expect(channel.client(TradingServiceDefinition).listTrades({})).rejects.toMatchObject({
    code: Status.INTERNAL,
    message: 'internal',
  });
});

test('rpc: past its limit of calls in flight a server refuses with a time to retry', async () => {
  const client = channel.client(TradingServiceDefinition);
  const waiting = [client.placeTrade(order(2)), client.placeTrade(order(2))];
  await expect(client.placeTrade(order(1))).rejects.toMatchObject({
    code: Status.RESOURCE_EXHAUSTED,
    details: { info: { reason: 'OVERLOADED' }, retryAfterMs: 100 },
  });
  held.resolve();
  expect(await Promise.all(waiting)).toHaveLength(2);
});

test('rpc: a deadline that passes ends the call on both sides', async () => {
  await expect(channel.client(TradingServiceDefinition).placeTrade(order(3), { timeoutMs: 1_000 })).rejects.toMatchObject({
    code: Status.DEADLINE_EXCEEDED,
  });
  expect(await cancelled.promise).toMatchObject({ code: Status.CANCELLED });
});

test('rpc: a request over the limit is refused, and the connection lives on', async () => {
  const client = channel.client(TradingServiceDefinition);
  await expect(client.placeTrade(order(1, 'A'.repeat(2_000)))).rejects.toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
  expect(await client.placeTrade(order(1))).toBeDefined();
});

const bytes = (buffer: Buffer) => buffer;

test('rpc: a body that is no protobuf is the client’s typed error', async () => {
  const raw = new Client(address, credentials.createInsecure());
  const error = await new Promise((resolve) => {
    raw.makeUnaryRequest('/stockbroker.v1.TradingService/PlaceTrade', bytes, bytes, Buffer.from([0xff, 0xff]), resolve);
  });
  raw.close();
  expect(error).toMatchObject({ code: Status.INVALID_ARGUMENT });
});

test('health: follows what the server says of itself, also on a watch', async () => {
  const health = channel.client(HealthDefinition);
  expect(await health.check({})).toEqual({ status: 2 });
  const seen: number[] = [];
  const abort = new AbortController();
  for await (const { status } of health.watch({}, { signal: abort.signal })) {
    seen.push(status);
    if (status === 2) server.setServing(true);
    else break;
  }
  expect(seen).toEqual([2, 1]);
});

test.each(['v1', 'v1alpha'])(
  'reflection %s: lists the services and gives a method’s file with all it imports',
  async (version) => {
    const answers = await reflect(version, [
      { $case: 'listServices', value: '' },
      { $case: 'fileContainingSymbol', value: 'stockbroker.v1.TradingService.PlaceTrade' },
      { $case: 'fileContainingSymbol', value: 'no.such.Symbol' },
    ]);
    const [services, files, missing] = answers.map((answer) => answer.messageResponse);
    expect(services?.$case === 'listServicesResponse' && services.value.service.map(({ name }) => name)).toContain(
      'stockbroker.v1.TradingService',
    );
    expect(files?.$case === 'fileDescriptorResponse' && files.value.fileDescriptorProto.length).toBe(3);
    expect(missing?.$case).toBe('errorResponse');
  },
);

function reflect(version: string, asked: ServerReflectionRequest['messageRequest'][]): Promise<ServerReflectionResponse[]> {
  const raw = new Client(address, credentials.createInsecure());
  const call = raw.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    (message: ServerReflectionRequest) => Buffer.from(ServerReflectionRequest.encode(message).finish()),
    (buffer: Buffer) => ServerReflectionResponse.decode(buffer),
  );
  for (const messageRequest of asked) call.write(ServerReflectionRequest.create({ messageRequest }));
  call.end();
  return Array.fromAsync(call).finally(() => raw.close()) as Promise<ServerReflectionResponse[]>;
}
