import { signal } from '@preact/signals';
import {
  BrokerClient,
  BrokerError,
  type ClientOptions,
  memoryJournal,
  Trade,
  TradeStatus,
  TradeType,
  type TradingCalls,
} from '@stockbroker/client';
import { eventually } from '@stockbroker/testkit';
import { expect, test } from 'vitest';
import { PastTrades } from '../src/state/pastTrades.ts';
import { QuotesFeed } from '../src/state/quotesFeed.ts';
import { SentOrders } from '../src/state/sentOrders.ts';
import { TradesFeed } from '../src/state/tradesFeed.ts';

/** A client of a broker that answers as a test writes; what a test does not write is not called. */
const clientOf = (calls: Partial<TradingCalls>, options: Partial<ClientOptions> = {}) =>
  new BrokerClient({ calls: calls as TradingCalls, ...options });
const until = (isSo: () => boolean) =>
  eventually(
    async () => isSo(),
    (so) => so,
  );
const aborted = (signal: AbortSignal | undefined) =>
  new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));

const account = {
  customerId: 'c',
  cash: '1.0000',
  held: '0.0000',
  spendable: '1.0000',
  positions: [],
  buysBlocked: false,
  lastModified: undefined,
};
const trade = (orderId: string, status = TradeStatus.TRADE_STATUS_FILLED) => Trade.create({ orderId, status });
const snapshot = (revision: bigint, trades: Trade[]) => ({
  event: { $case: 'snapshot' as const, value: { revision, account, trades } },
});
const order = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 3, queueForOpen: false, clientOrderId: 'an-id' };

test('trades: a stream that ends late leaves the one alone that has replaced it, and a new beginning is told', async () => {
  let calls = 0;
  const { promise: later, resolve: tellMore } = Promise.withResolvers<void>();
  const client = clientOf({
    async *watchTrades(_request, { signal } = {}) {
      calls += 1;
      if (calls === 2) await later;
      // All that was known is in it, and still others may be missing.
      yield calls === 1 ? snapshot(1n, [trade('a')]) : snapshot(9n, [trade('a'), trade('b')]);
      await aborted(signal);
    },
  });
  const news: string[] = [];
  let beginnings = 0;
  const feed = new TradesFeed(
    client,
    ({ orderId }) => news.push(orderId),
    () => {
      beginnings += 1;
    },
  );
  feed.start();
  await until(() => feed.view.value?.revision === 1n);
  feed.stop();
  expect(feed.liveUntil.value).toBeInstanceOf(Date);
  feed.start();
  await until(() => calls === 2);
  tellMore();
  await until(() => feed.view.value?.revision === 9n);
  expect({ beginnings, news, connection: feed.connection.value }).toEqual({ beginnings: 1, news: ['b'], connection: 'live' });
  feed.stop();
});

test('quotes: what no stream follows is not kept, and what none is followed is old', async () => {
  const wanted = signal('A B');
  const client = clientOf({
    async *watchQuotes({ stockTickers = [] }, { signal } = {}) {
      const quotes = stockTickers.map((stockTicker) => ({
        stockTicker: String(stockTicker),
        bid: '1.0000',
        ask: '2.0000',
        halted: false,
        quotedAt: undefined,
      }));
      yield { quotes, stale: false };
      await aborted(signal);
    },
  });
  const feed = new QuotesFeed(client, wanted);
  const tickers = () => [...feed.quotes.value.keys()].join(' ');
  feed.start();
  await until(() => tickers() === 'A B');
  expect(feed.isOld.value).toBe(false);
  wanted.value = 'B C';
  expect(tickers()).toBe('B');
  await until(() => tickers() === 'B C');
  feed.stop();
  expect(feed.isOld.value).toBe(true);
});

test('orders: a refusal that was read is gone from the list, and stays one', async () => {
  const sent = new SentOrders(clientOf({ placeTrade: () => Promise.reject(new BrokerError('INVALID_ARGUMENT', 'no')) }));
  await sent.place(order);
  expect(sent.list.value).toMatchObject([{ order, state: 'refused' }]);
  sent.dismiss(order.clientOrderId);
  expect(sent.list.value).toEqual([]);
  expect(sent.find(order.clientOrderId)).toMatchObject({ state: 'refused' });
});

test('orders: one whose answer went to another tab is not “sending” for ever', async () => {
  const journal = memoryJournal();
  const away = () => Promise.reject(new BrokerError('UNAVAILABLE', 'away', { retryAfterMs: 3_600_000 }));
  const sent = new SentOrders(clientOf({ placeTrade: away }, { journal }));
  await sent.place(order);
  const words = 'The answer was lost. It is being sent again, as the same order…';
  expect(sent.list.value).toMatchObject([{ order, state: 'checking', words }]);
  await journal.remove(order.clientOrderId);
  await sent.check();
  expect(sent.list.value).toEqual([]);
  expect(sent.find(order.clientOrderId)).toMatchObject({ state: 'elsewhere' });
  sent.stop();
});

test('past trades: fills are no part of the list, and older ones are read until there is a new one', async () => {
  const all = Array.from({ length: 120 }, (_, i) => trade(`t${String(999 - i)}`));
  const client = clientOf({
    listTrades: async ({ pageToken = '', pageSize = 0 }) => {
      const from = Number(pageToken);
      const to = from + Number(pageSize);
      return { trades: all.slice(from, to), nextPageToken: to < all.length ? String(to) : '' };
    },
  });
  const past = new PastTrades(client);
  await past.readFills();
  expect({ filled: past.filled.value.size, listed: past.trades.value.size }).toEqual({ filled: 120, listed: 0 });
  const told = new Set(all.slice(0, 60).map(({ orderId }) => orderId));
  await past.readOlder(({ orderId }) => told.has(orderId));
  expect({ listed: past.trades.value.size, older: past.older.value }).toEqual({ listed: 100, older: 'more' });
  await past.readOlder(({ orderId }) => past.trades.value.has(orderId));
  expect({ listed: past.trades.value.size, older: past.older.value }).toEqual({ listed: 120, older: 'all' });
});
