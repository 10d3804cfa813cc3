import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { GrpcServer, RpcChannel, RpcError, Status } from '@stockbroker/rpc';
import { ExchangeServiceDefinition, SubmitOutcome } from '@stockbroker/rpc/exchange';
import { createLog, createMetrics } from '@stockbroker/runtime';
import { PATIENCE } from '@stockbroker/testkit/patience';
import type { Trade } from '@stockbroker/trading';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createExchangeClient, type ExchangeClient, type ExchangeClientOptions } from '../src/index.ts';

/** An exchange whose words and prices are not what its contract says. */
let server: GrpcServer;
let address: string;
let exchange: ExchangeClient;
const metrics = createMetrics('test');
beforeAll(async () => {
  server = new GrpcServer({
    host: '127.0.0.1',
    port: 0,
    maxRequestBytes: 65_536,
    maxInFlight: 100,
    toRpcError: (error) => new RpcError(Status.INTERNAL, String(error)),
  });
  const nothing = async () => Promise.reject(new Error('not in this test'));
  server.add(ExchangeServiceDefinition, {
    submitOrders: async ({ orders }) => ({
      results: orders.map(({ clientOrderId }) => ({
        clientOrderId: clientOrderId.toUpperCase(),
        outcome: SubmitOutcome.SUBMIT_OUTCOME_INVALID,
        message: `no\0 such \u001bthing ${'x'.repeat(5_000)}`,
      })),
    }),
    getOrders: async ({ clientOrderIds }) => ({
      reports: [],
      unknownClientOrderIds: clientOrderIds.map((id) => id.toUpperCase()),
    }),
    listInstruments: nothing,
    async *listOrders() {},
    async *streamQuotes(_request, { signal }) {
      const quote = (ticker: string, bid: string, ask: string) => ({ ticker, bid, ask, halted: false, quotedAt: new Date() });
      yield {
        quotes: [
          quote('BAD', '1e9', '10.0000'),
          quote('NEG', '-5.0000', '-4.0000'),
          quote('ZERO', '0.0000', '0.0000'),
          quote('CROSSED', '10.0001', '10.0000'),
          quote('HEX', '0x10', '0x11'),
          quote('HUGE', '9.0000', '1000000000.0000'),
          { ...quote('UNTIMED', '9.9000', '10.0000'), quotedAt: undefined },
          { ...quote('AHEAD', '9.9000', '10.0000'), quotedAt: new Date(Date.now() + 60_000) },
          { ...quote('OLD', '9.9000', '10.0000'), quotedAt: new Date(Date.now() - 60_000) },
          { ...quote('HALTED', '', ''), halted: true },
          { ...quote('BAD-HALTED', 'x', ''), halted: true },
          quote('BID', '9.9000', ''),
          quote('ASK', '', '10.0000'),
          quote('NONE', '', ''),
          quote('AAPL', '9.9000', '10.0000'),
        ],
      };
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
  });
  address = `127.0.0.1:${await server.listen()}`;
  exchange = openClient({ metrics });
});
const openClient = (options: Partial<ExchangeClientOptions>) =>
  createExchangeClient({
    address,
    apiKey: 'key',
    callbackUrl: 'http://127.0.0.1:1/v1/callbacks',
    timeoutMs: 5_000,
    quoteWaitMs: 10_000,
    log: createLog('test', 'silent'),
    metrics: createMetrics('test'),
    ...options,
  });
afterAll(async () => {
  await exchange.close();
  await server.stop(1_000);
});

test('a quote that is no price is no quote of its own ticker, and does not cost the others theirs', async () => {
  await expect.poll(() => exchange.quotes.latest('AAPL'), { timeout: 20_000 * PATIENCE }).toBeDefined();
  expect(await exchange.freshQuote('AAPL', 'buy')).toMatchObject({ kind: 'quote', quote: { bid: 99_000n, ask: 100_000n } });
  const none = ['BAD', 'NEG', 'ZERO', 'CROSSED', 'HEX', 'HUGE', 'UNTIMED', 'AHEAD', 'OLD', 'NONE'];
  for (const ticker of none) expect([ticker, exchange.quotes.latest(ticker)]).toEqual([ticker, null]);
  const refused = await metrics.registry.getSingleMetric('quotes_refused_total')?.get();
  const counts = refused?.values.map(({ labels, value }) => [labels.why, value]);
  expect(Object.fromEntries(counts ?? [])).toEqual({ 'no-price': 6, crossed: 1, untimed: 1, future: 1, moved: 0 });
  expect(exchange.quotes.countStale()).toBe(1);
});

test('quotes are old, or ahead, by the time that the client is given, whatever this machine’s clock says', async () => {
  const later = openClient({ now: () => Date.now() + 60_000 });
  onTestFinished(() => later.close());
  await expect
    .poll(() => later.quotes.latest('AHEAD'), { timeout: 20_000 * PATIENCE })
    .toMatchObject({ quote: { bid: 99_000n } });
  expect(later.quotes.latest('AAPL')).toBe(null);
});

test('what a quote says in one field is not lost with another that is empty', async () => {
  await expect.poll(() => exchange.quotes.latest('AAPL'), { timeout: 20_000 * PATIENCE }).toBeDefined();
  for (const ticker of ['HALTED', 'BAD-HALTED'])
    expect(await exchange.freshQuote(ticker, 'buy')).toMatchObject({
      kind: 'quote',
      quote: { bid: null, ask: null, halted: true },
    });
  expect(await exchange.freshQuote('BID', 'sell')).toMatchObject({ kind: 'quote', quote: { bid: 99_000n, ask: null } });
  expect(await exchange.freshQuote('ASK', 'buy')).toMatchObject({ kind: 'quote', quote: { bid: null, ask: 100_000n } });
});

test('the words of a refusal are cut and cleaned of what the database cannot store, which would keep the trade open', async () => {
  const trade = { id: crypto.randomUUID(), limitPrice: 1n, stockTicker: 'AAPL', type: 'buy', quantity: 1 } as Trade;
  const answer = await exchange.submitOrder(trade);
  expect(answer).toMatchObject({ kind: 'invalid', message: expect.stringMatching(/^no {2}such {2}thing x{100,190}$/) });
});

test('an answer that names orders in capitals is about them', async () => {
  expect(await exchange.findOrder(crypto.randomUUID())).toBe('unknown');
});

test('error details that are no protobuf are a failed call with its code, not the end of the caller’s process', async () => {
  const raw = createServer();
  raw.on('stream', (stream: ServerHttp2Stream) => {
    stream.resume();
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc+proto',
        'grpc-status': 9,
        'grpc-message': 'no',
        'grpc-status-details-bin': Buffer.from([0x1a, 0xff, 0xff, 0xff]).toString('base64'),
      },
      { endStream: true },
    );
  });
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
  const channel = new RpcChannel(`127.0.0.1:${(raw.address() as AddressInfo).port}`);
  const call = channel.client(ExchangeServiceDefinition).getOrders({ clientOrderIds: ['x'] });
  await expect(call).rejects.toMatchObject({ code: Status.FAILED_PRECONDITION, message: 'no', details: {} });
  channel.close();
  await new Promise((resolve) => raw.close(resolve));
});
