import { Status } from '@stockbroker/rpc';
import { RejectCode, TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
import type { Broker } from '@stockbroker/testkit';
import { partitionOf, parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { unusedTradeId } from '../support/reports.ts';
import { withStore } from '../support/store.ts';

const PARTITIONS = 100;

let broker: Broker;
beforeAll(async () => {
  const quotes = {
    AAPL: { bid: '9.90', ask: '10.00' },
    'BRK.B': { bid: '400.00', ask: '400.25' },
    TSLA: 'halted',
    GME: 'none',
  } as const;
  broker = await openBroker({ gateways: 2, quotes });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

test('fifty copies of one request at the same time, over two gateways, are one trade', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const copies = Array.from({ length: 50 }, (_, i) => alice.buys(1, 'AAPL', { clientOrderId: 'only-once' }, i % 2));
  const ids = (await Promise.all(copies)).map(({ orderId }) => orderId);
  expect(new Set(ids).size).toBe(1);
  expect((await alice.calls().listTrades({})).trades).toHaveLength(1);
});

test('fifty different requests with one client_order_id at the same time are one trade, and the others are told of it', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const requests = Array.from({ length: 50 }, (_, i) => alice.buys(i + 1, 'AAPL', { clientOrderId: 'contested' }, i % 2));
  const results = await Promise.allSettled(requests);
  const placed = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
  expect(placed).toHaveLength(1);
  for (const result of results.filter((each) => each.status === 'rejected')) {
    expect(result.reason).toMatchObject({
      code: Status.ALREADY_EXISTS,
      details: {
        info: { reason: 'CLIENT_ORDER_ID_USED', metadata: { order_id: placed[0]?.orderId, client_order_id: 'contested' } },
      },
    });
  }
});

test('a retry answers the trade as it stands now', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const trade = await alice.buys(1, 'AAPL', { clientOrderId: 'again' });
  await broker.exchange.fills(trade, { price: usd('10.00') });
  const retried = await alice.buys(1, 'AAPL', { clientOrderId: 'again' }, 1);
  expect(retried).toEqual(await alice.trade(trade));
  expect(retried).toMatchObject({ orderId: trade.orderId, status: TradeStatus.TRADE_STATUS_FILLED, price: '10.0000' });
});

test('a retry answers the trade also when its ticker is listed no more; another order of that ticker is INVALID_ARGUMENT', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const order = { customerId: alice.id, stockTicker: 'GONE', type: 'buy', quantity: 1, queueForOpen: false } as const;
  // As a gateway has stored it, before the exchange stopped to list the ticker.
  const placed = { ...order, id: unusedTradeId(), partition: partitionOf(alice.id, PARTITIONS), clientOrderId: 'before' };
  await withStore(broker, (store) => store.insertTrade(placed));
  const retry = (gateway: number) => alice.buys(1, 'GONE', { clientOrderId: 'before' }, gateway);
  const [retried] = await Promise.all([retry(0), retry(1)]);
  expect(retried).toMatchObject({ orderId: placed.id });
  const ended = await alice.ended(retried);
  expect(ended).toMatchObject({ rejectCode: RejectCode.REJECT_CODE_UNKNOWN_TICKER });
  expect(await retry(1)).toEqual(ended);
  await expect(alice.buys(2, 'GONE', { clientOrderId: 'before' })).rejects.toMatchObject({
    code: Status.ALREADY_EXISTS,
    details: { info: { reason: 'CLIENT_ORDER_ID_USED', metadata: { order_id: placed.id } } },
  });
  const unknown = { code: Status.INVALID_ARGUMENT, details: { info: { reason: 'UNKNOWN_TICKER' } } };
  await expect(alice.buys(1, 'GONE', { clientOrderId: 'after' })).rejects.toMatchObject(unknown);
  await expect(alice.buys(1, 'GONE')).rejects.toMatchObject(unknown);
  // What could never have been placed is not looked for.
  await expect(alice.buys(0, 'GONE', { clientOrderId: 'before' })).rejects.toMatchObject(unknown);
  const bob = await broker.customer();
  await expect(bob.buys(1, 'GONE', { clientOrderId: 'before' })).rejects.toMatchObject(unknown);
});

test.each([
  ['quantity', { quantity: 2 }],
  ['ticker', { stockTicker: 'BRK.B' }],
  ['type', { type: TradeType.TRADE_TYPE_SELL }],
])('a client_order_id used for a trade with another %s is ALREADY_EXISTS and names that trade', async (_what, difference) => {
  const alice = await broker.customer({ cash: usd('1000.00'), shares: { AAPL: 5 } });
  const trade = await alice.buys(1, 'AAPL', { clientOrderId: 'taken' });
  await expect(alice.buys(1, 'AAPL', { clientOrderId: 'taken', ...difference })).rejects.toMatchObject({
    code: Status.ALREADY_EXISTS,
    message: `client_order_id taken was used for another trade: ${trade.orderId}`,
    details: { info: { reason: 'CLIENT_ORDER_ID_USED', metadata: { order_id: trade.orderId, client_order_id: 'taken' } } },
  });
});

test('two customers may use the same client_order_id', async () => {
  const [alice, bob] = await broker.customers(2, { cash: usd('1000.00') });
  const ids = [await alice?.buys(1, 'AAPL', { clientOrderId: 'mine' }), await bob?.buys(2, 'AAPL', { clientOrderId: 'mine' })];
  expect(ids.map((trade) => trade?.quantity)).toEqual([1, 2]);
});

test('without a client_order_id each request is a trade, and the server names it', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const [first, second] = await Promise.all([alice.buys(1, 'AAPL'), alice.buys(1, 'AAPL', {}, 1)]);
  expect(first.orderId).not.toBe(second.orderId);
  expect(first.clientOrderId).not.toBe('');
  expect(await alice.buys(1, 'AAPL', { clientOrderId: first.clientOrderId })).toMatchObject({ orderId: first.orderId });
});

test('ListTrades: pages are newest first and complete, whatever is placed meanwhile', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const placed: string[] = [];
  for (let i = 0; i < 7; i += 1) placed.push((await alice.buys(1, 'AAPL', {}, i % 2)).orderId);
  const listed: string[] = [];
  let pageToken = '';
  do {
    const page = await alice.calls().listTrades({ pageSize: 3, pageToken });
    listed.push(...page.trades.map(({ orderId }) => orderId));
    pageToken = page.nextPageToken;
    await alice.buys(1, 'AAPL');
  } while (pageToken !== '');
  expect(listed).toEqual(placed.toReversed());
});

test('ListTrades: only trades in the statuses asked for', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const filled = await alice.buys(1, 'AAPL');
  const rejected = await alice.sells(1, 'BRK.B');
  await broker.exchange.fills(filled, { price: usd('10.00') });
  await alice.ended(rejected);
  const open = await alice.buys(2, 'AAPL');
  await broker.exchange.receives(open);
  const { TRADE_STATUS_PLACED: P, TRADE_STATUS_EXECUTED: E, TRADE_STATUS_FILLED: F, TRADE_STATUS_REJECTED: R } = TradeStatus;
  const list = async (...statuses: TradeStatus[]) =>
    (await alice.calls().listTrades({ statuses })).trades.map(({ orderId }) => orderId);
  expect(await list(F)).toEqual([filled.orderId]);
  expect(await list(R, F)).toEqual([rejected.orderId, filled.orderId]);
  expect(await list(P, E)).toEqual([open.orderId]);
  expect(await list()).toEqual([open.orderId, rejected.orderId, filled.orderId]);
});

test('ListTrades: a token of another filter, of another kind, or made up is refused', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  await alice.buys(1, 'AAPL');
  await alice.buys(1, 'AAPL');
  const { nextPageToken } = await alice.calls().listTrades({ pageSize: 1 });
  const instruments = await alice.calls().listInstruments({ pageSize: 1 });
  const refused = { code: Status.INVALID_ARGUMENT, details: { violations: [{ field: 'page_token' }] } };
  const filtered = { pageToken: nextPageToken, statuses: [TradeStatus.TRADE_STATUS_FILLED] };
  await expect(alice.calls().listTrades(filtered)).rejects.toMatchObject(refused);
  await expect(alice.calls().listTrades({ pageToken: instruments.nextPageToken })).rejects.toMatchObject(refused);
  await expect(alice.calls().listTrades({ pageToken: 'made-up' })).rejects.toMatchObject(refused);
  const negative = { code: Status.INVALID_ARGUMENT, details: { violations: [{ field: 'page_size' }] } };
  await expect(alice.calls().listTrades({ pageSize: -1 })).rejects.toMatchObject(negative);
});

test('ListTrades: another customer’s token shows none of that customer’s trades', async () => {
  const [alice, bob] = await broker.customers(2, { cash: usd('1000.00') });
  await alice?.buys(1, 'AAPL');
  await alice?.buys(1, 'AAPL');
  const page = await alice?.calls().listTrades({ pageSize: 1 });
  expect((await bob?.calls().listTrades({ pageToken: page?.nextPageToken }))?.trades).toEqual([]);
});

test('ListInstruments: all stocks by ticker, a page at a time', async () => {
  const alice = await broker.customer();
  const all = (await alice.calls().listInstruments({})).instruments;
  expect(all.length).toBeGreaterThanOrEqual(200);
  expect(all.map(({ stockTicker }) => stockTicker)).toEqual(all.map(({ stockTicker }) => stockTicker).toSorted());
  expect(all).toContainEqual({ stockTicker: 'BRK.B', name: expect.stringContaining('Berkshire') });
  const pages = [];
  let pageToken = '';
  do {
    const page = await alice.calls(1).listInstruments({ pageSize: 60, pageToken });
    pages.push(...page.instruments);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(pages).toEqual(all);
});

test('GetQuote: the exchange’s quote; halted; none; unknown', async () => {
  const alice = await broker.customer();
  const quote = (stockTicker: string) => alice.calls().getQuote({ stockTicker });
  expect(await quote('BRK.B')).toMatchObject({ stockTicker: 'BRK.B', bid: '400.0000', ask: '400.2500', halted: false });
  expect((await quote('BRK.B')).quotedAt).toBeInstanceOf(Date);
  expect(await quote('TSLA')).toMatchObject({ halted: true });
  await expect(quote('GME')).rejects.toMatchObject({
    code: Status.UNAVAILABLE,
    details: { info: { reason: 'NO_QUOTE' }, retryAfterMs: 1_000 },
  });
  await expect(quote('ZZZZZ')).rejects.toMatchObject({ code: Status.NOT_FOUND, details: { info: { reason: 'UNKNOWN_TICKER' } } });
  await expect(quote('')).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT });
});
