import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RpcChannel, RpcError, Status } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { expect, test } from 'vitest';
import { BrokerError, REASONS, webCalls } from '../src/index.ts';
import { buy, openScripted, placed, silence, until } from './scriptedBroker.ts';

const quote = { stockTicker: 'AAPL', bid: '9.9000', ask: '10.0000', halted: false, quotedAt: new Date(1_700_000_000_123) };

test('a call over gRPC-Web has its token and its answer', async () => {
  await using broker = await openScripted({
    getQuote: async ({ stockTicker }, context) => ({ ...quote, stockTicker, ask: context.header('authorization') ?? '' }),
  });
  expect(await broker.client().getQuote('BRK.B')).toEqual({ ...quote, stockTicker: 'BRK.B', ask: 'Bearer a-token' });
});

const refusal = new RpcError(Status.INVALID_ARGUMENT, 'unlucky: 100 % — no', {
  violations: [{ field: 'quantity', description: 'must not be 13' }],
  info: { reason: 'UNKNOWN_TICKER', metadata: { needed: '12' } },
  retryAfterMs: 1_500,
});
const told = {
  code: 'INVALID_ARGUMENT',
  message: 'unlucky: 100 % — no',
  reason: 'UNKNOWN_TICKER',
  figures: { needed: '12' },
  violations: [{ field: 'quantity', description: 'must not be 13' }],
  retryAfterMs: 1_500,
};

test('an error has its code, reason, figures, fields and time, over gRPC-Web and over gRPC', async () => {
  await using broker = await openScripted({
    getAccount: async () => Promise.reject(refusal),
    watchTrades: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(refusal) }) }),
  });
  const failed = await broker
    .client()
    .getAccount()
    .catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(BrokerError);
  expect(failed).toMatchObject(told);
  await expect(Array.fromAsync(broker.client().watchTrades())).rejects.toMatchObject(told);
  const channel = new RpcChannel(broker.grpcAddress);
  const native = broker.client({ calls: channel.client(TradingServiceDefinition) });
  await expect(native.getAccount()).rejects.toMatchObject(told);
  await expect(Array.fromAsync(native.watchTrades())).rejects.toMatchObject(told);
  channel.close();
});

test('a reason of a newer server has no name here, but can be read', async () => {
  await using broker = await openScripted({
    getAccount: async () => Promise.reject(new RpcError(Status.NOT_FOUND, 'new', { info: { reason: 'NEWER' } })),
  });
  await expect(broker.client().getAccount()).rejects.toMatchObject({ reason: undefined, rawReason: 'NEWER' });
});

test('what the servers give as reasons is what this package knows', () => {
  const root = join(import.meta.dirname, '../../..');
  const files = globSync(['apps/gateway/src/**/*.ts', 'libs/rpc/src/**/*.ts', 'libs/trading/src/**/*.ts'], { cwd: root });
  // Also one of two: `reason: isSent ? 'ALREADY_EXECUTED' : 'ALREADY_ENDED'`.
  const given = files.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\breason: [^,;{}]*/g)].flatMap(([text]) =>
      [...text.matchAll(/'([A-Z_]{4,})'/g)].map((match) => match[1]),
    ),
  );
  expect(given).toEqual(expect.arrayContaining(['OVERLOADED', 'ALREADY_EXECUTED', 'ALREADY_ENDED']));
  expect([...new Set(given)].filter((reason) => !REASONS.some((known) => known === reason))).toEqual([]);
});

test('a call fails when its deadline passes, and the server is told the deadline', async () => {
  let leftMs = 0;
  await using broker = await openScripted({
    getAccount: async (_request, context) => {
      leftMs = Number(context.deadline) - Date.now();
      await silence(context);
      return Promise.reject(context.signal.reason);
    },
  });
  const client = broker.client({ timeoutMs: 300, attemptTimeoutMs: 300 });
  await expect(client.getAccount()).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  expect(leftMs).toBeLessThanOrEqual(300);
});

test('a token that does not come is waited for as long as the call may take, and no longer', async () => {
  await using broker = await openScripted({});
  let asked = 0;
  const token = () => {
    asked += 1;
    return new Promise<never>(() => {});
  };
  const calls = webCalls({ url: broker.url, token });
  const client = broker.client({ calls, timeoutMs: 100 });
  await expect(client.getAccount()).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  asked = 0;
  const watch = client.watchTrades();
  const reading = Array.fromAsync(watch);
  await until(() => asked === 1);
  watch.close();
  expect(await reading).toEqual([]);
});

test('what may pass is tried again: after the time that the server asks for, and until it answers', async () => {
  let attempts = 0;
  const waits: number[] = [];
  await using broker = await openScripted({
    getQuote: async () => {
      attempts += 1;
      if (attempts === 1) throw new RpcError(Status.UNAVAILABLE, 'away', { retryAfterMs: 150 });
      if (attempts === 2) throw new RpcError(Status.RESOURCE_EXHAUSTED, 'full');
      return quote;
    },
  });
  const client = broker.client({ onRetry: (_error, waitMs) => void waits.push(waitMs) });
  expect(await client.getQuote('AAPL')).toMatchObject({ bid: '9.9000' });
  expect(attempts).toBe(3);
  expect(waits[0]).toBeGreaterThanOrEqual(150);
  expect(waits[0]).toBeLessThan(150 * 1.25);
  expect(waits[1]).toBeLessThanOrEqual(40);
});

test.each([Status.INVALID_ARGUMENT, Status.UNAUTHENTICATED, Status.INTERNAL])('code %i is not tried again', async (code) => {
  let attempts = 0;
  await using broker = await openScripted({
    getQuote: async () => {
      attempts += 1;
      throw new RpcError(code, 'no');
    },
  });
  await expect(broker.client().getQuote('AAPL')).rejects.toBeInstanceOf(BrokerError);
  expect(attempts).toBe(1);
});

test('a server that is away is tried for until it is back', async () => {
  await using broker = await openScripted({ getQuote: async () => quote });
  await broker.kill();
  const asked = broker.client().getQuote('AAPL');
  await broker.restart();
  expect(await asked).toMatchObject({ bid: '9.9000' });
});

test('what is no broker is told as an error, not taken for an answer', async () => {
  const { createServer } = await import('node:http');
  const answers = [
    [200, 'hello, I am a proxy'],
    [200, ''],
    [403, 'no'],
    [502, 'bad gateway'],
  ] as const;
  const codes: unknown[] = [];
  for (const [status, body] of answers) {
    const server = createServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const calls = webCalls({ url: `http://127.0.0.1:${port}`, token: () => 't' });
    codes.push(await calls.getAccount({}).catch((error: BrokerError) => error.code));
    server.closeAllConnections();
    server.close();
  }
  expect(codes).toEqual(['INTERNAL', 'UNAVAILABLE', 'PERMISSION_DENIED', 'UNAVAILABLE']);
});

test('connections are used again', async () => {
  const ports = new Set<string>();
  await using broker = await openScripted({
    placeTrade: async (request, context) => {
      ports.add(context.peer);
      return placed(request);
    },
  });
  for (let i = 0; i < 10; i += 1) await broker.client().placeTrade(buy);
  expect(ports.size).toBeLessThan(5);
});
