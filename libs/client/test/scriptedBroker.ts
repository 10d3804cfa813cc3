import { GrpcServer, type Handlers, RpcError, Status, WebServer } from '@stockbroker/rpc';
import { Trade, TradeStatus, TradeType, TradingServiceDefinition, type WatchTradesResponse } from '@stockbroker/rpc/stockbroker';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { expect } from 'vitest';
import { BrokerClient, type ClientOptions, webCalls } from '../src/index.ts';

type Script = Partial<Handlers<typeof TradingServiceDefinition>>;

/** Tries again soon, and has all the time of a busy machine. */
const quickly = { timeoutMs: 60_000, attemptTimeoutMs: 60_000, backoff: { baseMs: 20, maxMs: 100 }, silenceMs: 60_000 };

/** Real servers, gRPC and gRPC-Web, whose methods a test writes. What it does not write is UNIMPLEMENTED. */
export async function openScripted(script: Script) {
  const service = {
    placeTrade: unimplemented,
    cancelTrade: unimplemented,
    getTrade: unimplemented,
    listTrades: unimplemented,
    getAccount: unimplemented,
    getQuote: unimplemented,
    listInstruments: unimplemented,
    listPrices: unimplemented,
    watchTrades: unimplementedStream,
    watchQuotes: unimplementedStream,
    ...script,
  };
  let servers = await listen(service);
  const { grpcPort, webPort } = servers;
  return {
    url: `http://127.0.0.1:${webPort}`,
    grpcAddress: `127.0.0.1:${grpcPort}`,
    /** Like a gateway that is killed: every connection ends at once. */
    kill: () => servers.close(),
    restart: async () => {
      servers = await listen(service, webPort);
    },
    client: (options: Partial<ClientOptions> = {}) =>
      new BrokerClient({
        calls: webCalls({ url: `http://127.0.0.1:${webPort}`, token: () => 'a-token' }),
        ...quickly,
        ...options,
      }),
    [Symbol.asyncDispose]: () => servers.close(),
  };
}

async function listen(service: Handlers<typeof TradingServiceDefinition>, webPort = 0) {
  const host = '127.0.0.1';
  const server = new GrpcServer({
    host,
    port: 0,
    maxRequestBytes: 65_536,
    maxInFlight: 100,
    toRpcError: (error) => (error instanceof RpcError ? error : new RpcError(Status.INTERNAL, String(error))),
  });
  server.add(TradingServiceDefinition, service);
  const web = new WebServer({
    host,
    port: webPort,
    calls: server.calls,
    maxRequestBytes: 65_536,
    maxArriving: 100,
    allowedOrigins: [],
  });
  const ports = { grpcPort: await server.listen(), webPort: await web.listen() };
  return {
    ...ports,
    close: async () => {
      await Promise.all([web.stop(0), server.stop(0)]);
    },
  };
}

async function unimplemented(): Promise<never> {
  throw new RpcError(Status.UNIMPLEMENTED, 'not in this test');
}

function unimplementedStream(): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: unimplemented }) };
}

export const buy = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 3, queueForOpen: false };

export const placed = (request: { clientOrderId: string; stockTicker: string; quantity: number }, orderId = 'order-1') =>
  Trade.create({ ...request, orderId, type: TradeType.TRADE_TYPE_BUY, status: TradeStatus.TRADE_STATUS_PLACED });

const account = (cash: string) => ({
  customerId: 'c',
  cash,
  held: '0.0000',
  spendable: cash,
  positions: [],
  buysBlocked: false,
  lastModified: undefined,
});

export const snapshot = (revision: bigint, orderIds: string[] = []): WatchTradesResponse => {
  const trades = orderIds.map((orderId) => Trade.create({ orderId }));
  return { event: { $case: 'snapshot', value: { revision, account: account(`${revision}.0000`), trades } } };
};

export const change = (firstRevision: bigint, orderId: string, revision = firstRevision): WatchTradesResponse => {
  const trades = [Trade.create({ orderId })];
  return { event: { $case: 'change', value: { firstRevision, revision, trades, account: account(`${revision}.0000`) } } };
};

export const heartbeat = (revision: bigint): WatchTradesResponse => ({ event: { $case: 'heartbeat', value: { revision } } });

/** Silence, until the caller goes away. */
export function silence({ signal }: { signal: AbortSignal }): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

export async function until(isSo: () => boolean): Promise<void> {
  await expect.poll(isSo, { timeout: 20_000 * PATIENCE, interval: 20 }).toBe(true);
}
