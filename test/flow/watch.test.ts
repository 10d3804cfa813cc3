import { Status } from '@stockbroker/rpc';
import { TradeStatus } from '@stockbroker/rpc/stockbroker';
import { type Broker, eventually, type Watcher } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

const { TRADE_STATUS_PLACED: PLACED, TRADE_STATUS_EXECUTED: EXECUTED } = TradeStatus;
const { TRADE_STATUS_FILLED: FILLED, TRADE_STATUS_REJECTED: REJECTED } = TradeStatus;

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({ gateways: 2, quotes: { AAPL: { bid: '9.90', ask: '10.00' } } });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

function watched(watcher: Watcher): Watcher {
  onTestFinished(() => watcher.stop());
  return watcher;
}

const told = ({ changes }: Watcher) =>
  changes.map(({ firstRevision, revision, trades }) => [firstRevision, revision, ...trades.map(({ status }) => status)]);

test('a buy is told as it happens: placed, executed, filled, each with its revision and the account as it then stood', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const watcher = await watched(alice.watches()).until('a snapshot', ({ snapshots }) => snapshots.length === 1);
  expect(watcher.snapshots[0]).toMatchObject({ revision: 0n, account: { cash: '1000.0000' }, trades: [] });
  const trade = await alice.buys(10, 'AAPL', {}, 1);
  await watcher.until('the marking', ({ revision }) => revision === 2);
  await broker.exchange.fills(trade, { price: usd('10.00') });
  await watcher.until('the fill', ({ revision }) => revision === 3);
  expect(told(watcher)).toEqual([
    [1n, 1n, PLACED],
    [2n, 2n, EXECUTED],
    [3n, 3n, FILLED],
  ]);
  expect(watcher.changes[2]?.trades[0]).toEqual(await alice.trade(trade));
  expect(watcher.changes[2]?.account).toEqual(await alice.account());
});

test('after a reconnect, at any gateway, exactly what was missed is told: each change once, as it was then', async () => {
  const alice = await broker.customer({ cash: usd('1000.00'), shares: { AAPL: 5 } });
  const first = await watched(alice.watches()).until('a snapshot', ({ snapshots }) => snapshots.length === 1);
  const buy = await alice.buys(10, 'AAPL');
  await first.until('the marking', ({ revision }) => revision === 2);
  await first.stop();
  await broker.exchange.fills(buy, { price: usd('10.00') });
  const sell = await alice.sells(100, 'AAPL');
  await alice.ended(sell);
  const again = await watched(alice.watches({ after: 2, gateway: 1 })).until('the end', ({ revision }) => revision === 5);
  expect(again.snapshots).toEqual([]);
  expect(told(again)).toEqual([
    [3n, 3n, FILLED],
    [4n, 4n, PLACED],
    [5n, 5n, REJECTED],
  ]);
  expect(again.changes.map(({ account }) => account !== undefined)).toEqual([false, false, true]);
  expect(again.changes[1]?.trades[0]).toMatchObject({ orderId: sell.orderId, rejectCode: 0, reason: 'Trade Placed' });
  const upToDate = await watched(alice.watches({ after: 5 })).until('a heartbeat', ({ events }) => events.length > 0);
  expect(upToDate.events).toEqual([{ $case: 'heartbeat', value: { revision: 5n } }]);
});

test('a revision that has not been yet is answered with how everything stands', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  for (const after of [7, 2 ** 40]) {
    const watcher = await watched(alice.watches({ after })).until('an answer', ({ events }) => events.length > 0);
    expect(watcher.snapshots).toMatchObject([{ revision: 0n, account: { cash: '1000.0000' } }]);
  }
});

test('a snapshot has all open trades and the newest of the others, newest first', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const open: string[] = [];
  for (let i = 0; i < 55; i += 1) open.push((await alice.buys(1, 'AAPL')).orderId);
  const watcher = await watched(alice.watches()).until('a snapshot', ({ snapshots }) => snapshots.length === 1);
  expect(watcher.snapshots[0]?.trades.map(({ orderId }) => orderId)).toEqual(open.toReversed());
  await broker.exchange.whileBehaving({ manual: false }, () => broker.allEnded());
  await watcher.until('all fills', ({ revision }) => revision === 165);
  expectGapless(watcher, Number(watcher.snapshots[0]?.revision));
  const later = await watched(alice.watches()).until('a snapshot', ({ snapshots }) => snapshots.length === 1);
  expect(later.snapshots[0]?.trades.map(({ orderId }) => orderId)).toEqual(open.toReversed().slice(0, 50));
  const late = await watched(alice.watches({ after: 1 })).until('the end', ({ revision }) => revision === 165);
  expectGapless(late, 1);
  expect(late.changes).toHaveLength(164);
});

test('too many changes to tell one by one are told as one, each trade once and as it stands', async () => {
  const alice = await broker.customer({ cash: usd('10000.00') });
  await broker.exchange.whileBehaving({ manual: false }, async () => {
    await Promise.all(Array.from({ length: 100 }, () => alice.buys(1, 'AAPL')));
    await broker.allEnded();
  });
  const watcher = await watched(alice.watches({ after: 1 })).until('the end', ({ revision }) => revision === 300);
  expect(watcher.changes).toHaveLength(1);
  expect(watcher.changes[0]).toMatchObject({ firstRevision: 2n, revision: 300n, account: { customerId: alice.id } });
  expect(watcher.changes[0]?.trades.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => FILLED));
});

test('customers are told of their own trades alone', async () => {
  const [alice, bob] = await broker.customers(2, { cash: usd('1000.00') });
  if (alice === undefined || bob === undefined) throw new Error('no customers');
  const [hers, his] = [watched(alice.watches()), watched(bob.watches())];
  await Promise.all([hers, his].map((watcher) => watcher.until('a snapshot', ({ snapshots }) => snapshots.length === 1)));
  const trade = await alice.buys(1, 'AAPL');
  await hers.until('the marking', ({ revision }) => revision === 2);
  const other = await bob.buys(1, 'AAPL');
  await his.until('the marking', ({ revision }) => revision === 2);
  const ids = (watcher: Watcher) => new Set(watcher.changes.flatMap(({ trades }) => trades.map(({ orderId }) => orderId)));
  expect([ids(hers), ids(his)]).toEqual([new Set([trade.orderId]), new Set([other.orderId])]);
});

test('a stream ends with a typed error: a customer without an account, a negative revision, no token', async () => {
  const alice = await broker.customer();
  const stranger = await broker.stranger();
  const ended = async (watcher: Watcher) => (await watched(watcher).until('its end', (w) => w.ended !== undefined)).ended?.error;
  expect(await ended(stranger.watches())).toMatchObject({
    code: Status.NOT_FOUND,
    details: { info: { reason: 'NO_ACCOUNT' } },
  });
  const violations = [{ field: 'after_revision', description: 'must not be negative' }];
  expect(await ended(alice.watches({ after: -1 }))).toMatchObject({ code: Status.INVALID_ARGUMENT, details: { violations } });
  const anonymous = alice.calls().watchTrades({}, { headers: { authorization: 'Bearer nothing' } });
  await expect(anonymous[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: Status.UNAUTHENTICATED });
});

test('quotes: all that were asked for, then those that change, and the word of a halt', async () => {
  const alice = await broker.customer();
  const seen: { stockTicker: string; ask: string; halted: boolean }[] = [];
  const abort = new AbortController();
  const following = (async () => {
    const stream = alice.calls().watchQuotes({ stockTickers: ['AAPL', 'MSFT'] }, { signal: abort.signal });
    for await (const { quotes } of stream) seen.push(...quotes);
  })().catch(() => {});
  onTestFinished(async () => {
    abort.abort();
    await following;
  });
  await eventually(
    () => seen,
    (quotes) => quotes.length === 2,
    { what: 'both quotes' },
  );
  expect(seen.map(({ stockTicker }) => stockTicker).toSorted()).toEqual(['AAPL', 'MSFT']);
  await broker.exchange.quotes('AAPL', { bid: '10.90', ask: '11.00' });
  await eventually(
    () => seen.at(-1),
    (quote) => quote?.ask === '11.0000',
    { what: 'the new price' },
  );
  expect(seen).toHaveLength(3);
  await broker.exchange.quotes('AAPL', { bid: '9.90', ask: '10.00' });
  await eventually(
    () => seen.at(-1),
    (quote) => quote?.ask === '10.0000',
    { what: 'the old price' },
  );
  const { prices } = await alice.calls().listPrices({ stockTicker: 'AAPL' });
  expect(prices.map(({ price }) => price)).toContain('9.9500');
  await expect(alice.calls().listPrices({ stockTicker: 'NONE' })).rejects.toMatchObject({ code: Status.NOT_FOUND });
});

test.each([
  ['none', [], 'must be 1 to 100 tickers'],
  [
    'too many',
    Array.from(
      { length: 101 },
      (_, i) => `A${String.fromCharCode(65 + (i % 26))}${String.fromCharCode(65 + Math.floor(i / 26))}`,
    ),
    'must be 1 to 100 tickers',
  ],
  ['one that is no ticker', ['aapl'], 'must be a ticker in capital letters, e.g. AAPL or BRK.B'],
  ['one that is not listed', ['AAPL', 'NONE'], 'must be listed, NONE is not; ListInstruments names all tickers'],
])('quotes of %s are refused, and the field is named', async (_name, stockTickers, description) => {
  const alice = await broker.customer();
  const stream = alice.calls().watchQuotes({ stockTickers });
  const violations = [{ field: 'stock_tickers', description }];
  const expected = { code: Status.INVALID_ARGUMENT, details: { violations } };
  await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject(expected);
});

/** Every revision after `seen` once, in order. */
function expectGapless({ changes }: Watcher, seen: number): void {
  expect(changes.map(({ revision }) => Number(revision))).toEqual(changes.map((_, i) => seen + 1 + i));
}
