import type { IncomingMessage } from 'node:http';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { expect } from 'vitest';
import { ExchangeServiceDefinition, StreamQuotesResponse } from '../src/exchange.ts';
import { GrpcServer, type Refused, RpcError, type ServerLimits, Status, type TlsSource, WebServer } from '../src/index.ts';
import { PlaceTradeRequest, Trade, TradeType, TradingServiceDefinition } from '../src/stockbroker.ts';

export const MAX_BYTES = 2_048;
export const ORIGIN = 'https://app.example.com';
export const PLACE = '/stockbroker.v1.TradingService/PlaceTrade';
export const QUOTES = '/exchange.v1.ExchangeService/StreamQuotes';

const page = { status: 200, headers: { 'content-type': 'text/plain' }, body: 'page'.repeat(10_000) };
const PAGE = (request: IncomingMessage) => (request.url === '/' ? page : undefined);
const unimplemented = async () => Promise.reject(new RpcError(Status.UNIMPLEMENTED, 'not in this test'));

/** Trades of 2 shares wait until they are cancelled, those of 13 are refused; quotes come for ever, or three to the client named so. */
interface WebFixtureOptions {
  tls?: TlsSource;
  limits?: Partial<ServerLimits>;
  proxyHeader?: boolean;
}

export async function openWeb({ tls, limits = {}, proxyHeader }: WebFixtureOptions = {}) {
  const told = Promise.withResolvers<unknown>();
  const streamed = { quotes: 0 };
  const calls: number[] = [];
  const deadlines: (Date | undefined)[] = [];
  const addresses: string[] = [];
  const details: string[] = [];
  const refused: Refused[] = [];
  const bounds = { maxStreams: 3, stallTimeoutMs: 4_000, ...limits };
  const server = new GrpcServer({
    host: '127.0.0.1',
    port: 0,
    maxRequestBytes: MAX_BYTES,
    maxInFlight: 2,
    tls,
    proxyHeader,
    limits: bounds,
    onRefused: (why, detail) => {
      refused.push(why);
      if (detail !== undefined) details.push(detail);
    },
    toRpcError: (error) => (error instanceof RpcError ? error : new RpcError(Status.INTERNAL, 'internal')),
  });
  server.add(TradingServiceDefinition, {
    placeTrade: async (request, context) => {
      calls.push(Number(request.quantity));
      deadlines.push(context.deadline);
      addresses.push(context.address);
      if (request.quantity === 2) {
        context.signal.addEventListener('abort', () => told.resolve(context.signal.reason));
        await told.promise;
      }
      if (request.quantity === 13) {
        throw new RpcError(Status.RESOURCE_EXHAUSTED, 'unlucky: 100 % — no', {
          violations: [{ field: 'quantity', description: 'must not be 13' }],
          info: { reason: 'UNLUCKY', metadata: { needed: '12' } },
          retryAfterMs: 1_500,
        });
      }
      const { stockTicker, type, quantity } = request;
      return Trade.create({ orderId: context.header('authorization') ?? '', stockTicker, type, quantity });
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
  server.add(ExchangeServiceDefinition, {
    submitOrders: unimplemented,
    getOrders: unimplemented,
    listInstruments: unimplemented,
    async *listOrders() {},
    async *streamQuotes(_request, context) {
      for (streamed.quotes = 0; !context.signal.aborted; streamed.quotes += 1) {
        const quote = { ticker: `T${streamed.quotes}`.padEnd(1_100, 'x'), bid: '1.0000', ask: '2.0000', halted: false };
        yield StreamQuotesResponse.fromPartial({ quotes: [quote] });
        if (streamed.quotes === 2 && context.header('x-user-agent') === 'three') throw new RpcError(Status.ABORTED, 'enough');
      }
    },
  });
  const web = new WebServer({
    host: '127.0.0.1',
    port: 0,
    calls: server.calls,
    maxRequestBytes: MAX_BYTES,
    maxArriving: 100,
    allowedOrigins: [ORIGIN],
    limits: bounds,
    proxyHeader,
    tls,
    ...(tls && { page: PAGE }),
    onRefused: (why) => refused.push(why),
  });
  const port = await web.listen();
  const base = `http${tls === undefined ? '' : 's'}://127.0.0.1:${port}`;

  return {
    server,
    web,
    base,
    port,
    /** Why connections and requests were ended. */
    refused,
    /** Why TLS failed at the gRPC port. */
    details,
    /** The quantities of all that came to be placed. */
    calls,
    /** Theirs. */
    deadlines,
    addresses,
    grpcPort: await server.listen(),
    /** Why the call of a trade of 2 shares was ended. */
    aborted: told.promise,
    /** How many the last stream has given so far. */
    streamed,
    post: (path: string, body: Body, headers: Record<string, string> = {}, signal: AbortSignal | null = null) =>
      fetch(base + path, { method: 'POST', body, headers, signal }),
    close: () => Promise.all([web.stop(1_000), server.stop(1_000)]),
  };
}

export type Body = string | Uint8Array;

export const asJson = { 'content-type': 'application/json' };
export const order = (quantity: number) => JSON.stringify({ stockTicker: 'AAPL', type: 'BUY', quantity });

export function framed(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.from([flags, 0, 0, 0, 0]);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export const BUY = PlaceTradeRequest.encode(
  PlaceTradeRequest.fromPartial({ stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 7 }),
).finish();
export const unlucky = PlaceTradeRequest.encode(PlaceTradeRequest.fromPartial({ stockTicker: 'AAPL', quantity: 13 })).finish();

/** Messages and trailers of a gRPC-Web body. */
export function unframed(body: Buffer): { messages: Buffer[]; trailers: Record<string, string> } {
  const messages: Buffer[] = [];
  let trailers = {};
  for (let at = 0; at < body.length; ) {
    const content = body.subarray(at + 5, at + 5 + body.readUInt32BE(at + 1));
    if (body[at] === 0x80)
      trailers = Object.fromEntries(
        String(content)
          .trim()
          .split('\r\n')
          .map((line) => line.split(/:(.*)/s)),
      );
    else messages.push(content);
    at += 5 + content.length;
  }
  return { messages, trailers };
}

export const webProto = { 'content-type': 'application/grpc-web+proto' };
export async function statusOf(response: Response): Promise<string | undefined> {
  return unframed(Buffer.from(await response.arrayBuffer())).trailers['grpc-status'];
}

export async function until(isSo: () => boolean): Promise<void> {
  await expect.poll(isSo, { timeout: 20_000 * PATIENCE, interval: 50 }).toBe(true);
}
