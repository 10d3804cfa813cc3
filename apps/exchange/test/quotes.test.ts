import type { Quote, StreamQuotesResponse } from '@stockbroker/rpc/exchange';
import { SeededRandom } from '@stockbroker/runtime';
import { afterAll, expect, test } from 'vitest';
import { instruments } from '../src/instruments.ts';
import { Market } from '../src/market.ts';
import { streamQuotes } from '../src/streamQuotes.ts';
import { cleanUp, eventually, startExchange } from './harness.ts';

afterAll(cleanUp);

test('stream: all quotes first, then changes as they happen, and heartbeats', async () => {
  const exchange = await startExchange();
  const stream = exchange.orders.streamQuotes({}, { timeoutMs: 60_000 })[Symbol.asyncIterator]();
  const { quotes: snapshot } = await next(stream);
  const listed = (await exchange.orders.listInstruments({})).instruments;
  expect(snapshot.map(({ ticker }) => ticker)).toEqual(listed.map(({ ticker }) => ticker));
  expect(listed).toContainEqual({ ticker: 'BRK.B', name: 'Berkshire Hathaway Inc. Class B' });

  expect((await next(stream)).quotes).toEqual([]);
  const quote = { ticker: 'BRK.B', bid: '400.0000', ask: '400.0100', halted: true };
  await exchange.simulator.setQuote(quote);
  expect(await nextQuotes(stream)).toMatchObject([quote]);
  await exchange.simulator.setQuote({ ticker: 'BRK.B' });
  expect(await nextQuotes(stream)).toMatchObject([{ ticker: 'BRK.B', bid: '', ask: '', halted: false }]);
  await stream.return?.();
  await exchange.stop();
});

test('stream: quotes that stay are restated with a new time, also at the side that there is, unless the feed is frozen', async () => {
  const exchange = await startExchange({ EXCHANGE_RESTATE_MS: '20' });
  await exchange.simulator.setQuote({ ticker: 'BRK.B', bid: '400.0000' });
  const stream = exchange.orders.streamQuotes({}, { timeoutMs: 60_000 })[Symbol.asyncIterator]();
  const brk = async () => (await nextQuotes(stream)).find(({ ticker }) => ticker === 'BRK.B');
  const [first, second] = [await brk(), await brk()];
  expect(first).toMatchObject({ bid: '400.0000', ask: '' });
  expect(second).toMatchObject({ bid: '400.0000', ask: '' });
  expect(second?.quotedAt?.getTime()).toBeGreaterThan(first?.quotedAt?.getTime() ?? Number.POSITIVE_INFINITY);
  await exchange.simulator.setBehaviour({ behaviour: { freezeQuotes: true } });
  await eventually('a heartbeat of a frozen feed', async () => (await next(stream)).quotes.length === 0);
  expect((await next(stream)).quotes).toEqual([]);
  await stream.return?.();
  await exchange.stop();
});

test('stream: the market moves by itself', async () => {
  const exchange = await startExchange({ EXCHANGE_TICK_MS: '10' });
  const stream = exchange.orders.streamQuotes({}, { timeoutMs: 60_000 })[Symbol.asyncIterator]();
  const { quotes: snapshot } = await next(stream);
  for (const quote of await nextQuotes(stream)) {
    const before = snapshot.find(({ ticker }) => ticker === quote.ticker);
    expect([quote.bid, quote.ask]).not.toEqual([before?.bid, before?.ask]);
  }
  expect(await exchange.stop()).toBe(0);
});

test('stream: a slow subscriber gets each ticker once, as it is now', async () => {
  const market = new Market(instruments, new SeededRandom(1), 0);
  const stop = new AbortController();
  const stream = streamQuotes(market, stop.signal, () => {})[Symbol.asyncIterator]();
  await stream.next();
  for (let i = 0; i < 1_000; i += 1) market.tick();
  const { quotes } = await next(stream);
  expect(new Set(quotes.map(({ ticker }) => ticker)).size).toBe(quotes.length);
  const current = new Map(market.quotes().map((quote) => [quote.ticker, quote]));
  expect(quotes.every((quote) => current.get(quote.ticker) === quote)).toBe(true);
  stop.abort();
  expect((await stream.next()).done).toBe(true);
});

test('market: prices stay realistic, in whole cents, with the bid below the ask', () => {
  const market = new Market(instruments, new SeededRandom(7), 0);
  const prices = new Map(instruments.map(({ ticker, priceE4 }) => [ticker, priceE4]));
  for (let i = 0; i < 20_000; i += 1) {
    market.tick();
    if (i % 500 > 0) continue;
    for (const { ticker, bidE4 = 0, askE4 = 0 } of market.listings()) {
      const referenceE4 = prices.get(ticker) ?? 0;
      const isRealistic = bidE4 > referenceE4 * 0.88 && askE4 < referenceE4 * 1.12 && bidE4 < askE4;
      const isInCents = bidE4 % 100 === 0 && askE4 % 100 === 0;
      if (!isRealistic || !isInCents) expect.fail(`${ticker}: bid ${bidE4}, ask ${askE4}, reference ${referenceE4}`);
    }
  }
});

test('market: below a dollar the tick is a hundredth of a cent', () => {
  const market = new Market([{ ticker: 'PENNY', name: 'Penny Inc.', priceE4: 4_321 }], new SeededRandom(1), 0);
  expect(market.listing('PENNY')).toMatchObject({ bidE4: 4_320, askE4: 4_321 });
});

test('market: the same seed gives the same prices, a fixed quote moves no more', () => {
  const [a, b, c] = [1, 1, 2].map((seed) => new Market(instruments, new SeededRandom(seed), 0));
  a?.setQuote('AAPL', 1_000_000, 1_000_100, false);
  b?.setQuote('AAPL', 1_000_000, 1_000_100, false);
  for (let i = 0; i < 500; i += 1) for (const market of [a, b, c]) market?.tick();
  const pricesOf = (market: Market | undefined) => market?.listings().map(({ bidE4 }) => bidE4);
  expect(pricesOf(a)).toEqual(pricesOf(b));
  expect(pricesOf(a)).not.toEqual(pricesOf(c));
  expect(a?.listing('AAPL')).toMatchObject({ bidE4: 1_000_000, askE4: 1_000_100 });
});

test('instruments: some 200 tickers, each once, with class shares', () => {
  const tickers = instruments.map(({ ticker }) => ticker);
  expect(tickers.length).toBeGreaterThanOrEqual(200);
  expect(new Set(tickers).size).toBe(tickers.length);
  expect(tickers).toEqual(expect.arrayContaining(['AAPL', 'BRK.A', 'BRK.B', 'BF.B']));
  expect(tickers.filter((ticker) => !/^[A-Z]{1,5}(\.[A-Z])?$/.test(ticker))).toEqual([]);
});

type Stream = AsyncIterator<StreamQuotesResponse>;

async function next(stream: Stream): Promise<StreamQuotesResponse> {
  const { done, value } = await stream.next();
  if (done) throw new Error('the stream has ended');
  return value;
}

/** The next quotes that are no heartbeat. */
async function nextQuotes(stream: Stream): Promise<Quote[]> {
  for (;;) {
    const { quotes } = await next(stream);
    if (quotes.length > 0) return quotes;
  }
}
