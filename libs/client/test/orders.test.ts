import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RpcError, Status } from '@stockbroker/rpc';
import { type PlaceTradeRequest, SessionPolicy, type Trade } from '@stockbroker/rpc/stockbroker';
import { describe, expect, test } from 'vitest';
import {
  BrokerError,
  memoryJournal,
  type OrderJournal,
  storageJournal,
  type TradingCalls,
  type WebStorage,
  webCalls,
} from '../src/index.ts';
import { fileJournal } from '../src/node.ts';
import { buy, openScripted, placed, silence, until } from './scriptedBroker.ts';

/** A broker that keeps one trade for each client order id, as the real one does, and may lose answers. */
function bookkeeper({ loses = 0 } = {}) {
  const trades = new Map<string, Trade>();
  const seen: string[] = [];
  let left = loses;
  return {
    trades,
    seen,
    placeTrade: async (request: PlaceTradeRequest, context: { signal: AbortSignal }) => {
      seen.push(request.clientOrderId);
      const trade = trades.get(request.clientOrderId) ?? {
        ...placed(request, `order-${trades.size + 1}`),
        createdAt: new Date(),
      };
      trades.set(request.clientOrderId, trade);
      if (left > 0) {
        left -= 1;
        await silence(context);
      }
      return trade;
    },
    listTrades: async () => ({ trades: [...trades.values()], nextPageToken: '' }),
  };
}

/** Calls of a program that can be ended. */
function mortal(url: string) {
  const dying = new AbortController();
  const living = webCalls({ url, token: () => 'a-token' });
  const placeTrade: TradingCalls['placeTrade'] = (request, options) =>
    living.placeTrade(request, { ...options, signal: dying.signal });
  return { calls: { ...living, placeTrade }, die: () => dying.abort() };
}

function fakeStorage(): WebStorage {
  const items = new Map<string, string>();
  return {
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

describe.each(['memory', 'storage', 'file'] as const)('journal: %s', (kind) => {
  test('keeps orders, the oldest first, each once, until they are removed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stockbroker-journal-'));
    const storage = fakeStorage();
    storage.setItem('someone else’s', 'not an order');
    await storageJournal(storage, 'bob').put({ ...buy, clientOrderId: 'bobs', createdAt: '2026-01-01T00:00:00.000Z' });
    const open = () =>
      ({ memory: memoryJournal, storage: () => storageJournal(storage, 'alice'), file: () => fileJournal(folder) })[kind]();
    const journal = open();
    const order = { ...buy, clientOrderId: 'a/../b', createdAt: '2026-01-02T00:00:00.000Z' };
    await journal.put(order);
    await journal.put(order);
    await journal.put({ ...order, clientOrderId: 'older', createdAt: '2026-01-01T00:00:00.000Z' });
    if (kind !== 'memory') expect((await open().list()).map(({ clientOrderId }) => clientOrderId)).toEqual(['older', 'a/../b']);
    await journal.remove('older');
    await journal.remove('older');
    expect(await journal.list()).toEqual([order]);
    rmSync(folder, { recursive: true });
  });
});

test('an order is in the journal before it is sent, and no more once it is answered', async () => {
  const journal = memoryJournal();
  const whenSent: number[] = [];
  await using broker = await openScripted({
    placeTrade: async (request) => {
      whenSent.push((await journal.list()).length);
      return placed(request);
    },
  });
  await broker.client({ journal }).placeTrade(buy);
  expect({ whenSent, left: await journal.list() }).toEqual({ whenSent: [1], left: [] });
});

test('an answer that is lost: the same id is sent again, and there is one trade', async () => {
  const books = bookkeeper({ loses: 1 });
  await using broker = await openScripted(books);
  const trade = await broker.client({ attemptTimeoutMs: 1_000 }).placeTrade(buy);
  expect(trade.orderId).toBe('order-1');
  expect(books.seen.length).toBeGreaterThan(1);
  expect(new Set(books.seen)).toEqual(new Set([trade.clientOrderId]));
  expect(books.trades.size).toBe(1);
});

test('a program that dies between sending and the answer: the next one finds its trade by the same id', async () => {
  const books = bookkeeper({ loses: 1 });
  await using broker = await openScripted(books);
  const journal = memoryJournal();
  const { calls, die } = mortal(broker.url);
  const lost = broker.client({ journal, calls }).placeTrade(buy);
  await until(() => books.seen.length === 1);
  die();
  await expect(lost).rejects.toMatchObject({ code: 'CANCELLED' });
  const next = broker.client({ journal });
  expect(await next.pendingOrders()).toMatchObject([{ ...buy, clientOrderId: books.seen[0] }]);
  expect(await next.resolvePendingOrders()).toMatchObject([{ outcome: 'placed', trade: { orderId: 'order-1' } }]);
  expect(books.trades.size).toBe(1);
  expect(await next.pendingOrders()).toEqual([]);
});

const old = { ...buy, clientOrderId: 'old', createdAt: new Date(Date.now() - 3_600_000).toISOString() };

test('an old order is not sent any more: it was placed, or it never will be', async () => {
  const books = bookkeeper();
  await using broker = await openScripted(books);
  const journal = memoryJournal();
  await journal.put({ ...old, clientOrderId: 'lost' });
  await journal.put(old);
  books.trades.set('old', { ...placed(old), createdAt: new Date(old.createdAt) });
  expect(await broker.client({ journal }).resolvePendingOrders()).toMatchObject([
    { order: { clientOrderId: 'lost' }, outcome: 'not placed' },
    { order: { clientOrderId: 'old' }, outcome: 'placed', trade: { orderId: 'order-1' } },
  ]);
  expect({ seen: books.seen, left: await journal.list() }).toEqual({ seen: [], left: [] });
});

test('while the broker is away orders stay pending', async () => {
  await using broker = await openScripted({});
  await broker.kill();
  const journal = memoryJournal();
  await journal.put(old);
  await journal.put({ ...old, clientOrderId: 'fresh', createdAt: new Date().toISOString() });
  const resolved = await broker.client({ journal, timeoutMs: 100 }).resolvePendingOrders();
  expect(resolved.map(({ outcome }) => outcome)).toEqual(['unknown', 'unknown']);
  expect(await journal.list()).toHaveLength(2);
});

/** One that may pass would only after the client's patience: it is told at once. */
const refusal = (code: Status) => new RpcError(code, 'no', { retryAfterMs: 3_600_000 });

test.each([
  { code: Status.INVALID_ARGUMENT, isPending: false },
  { code: Status.ALREADY_EXISTS, isPending: false },
  { code: Status.UNAUTHENTICATED, isPending: false },
  { code: Status.INTERNAL, isPending: true },
  { code: Status.UNAVAILABLE, isPending: true },
])('after code $code an order is pending: $isPending', async ({ code, isPending }) => {
  await using broker = await openScripted({ placeTrade: async () => Promise.reject(refusal(code)) });
  const client = broker.client();
  await expect(client.placeTrade(buy)).rejects.toThrow('no');
  expect(await client.pendingOrders()).toHaveLength(isPending ? 1 : 0);
});

test('a refusal after a lost answer does not say that nothing was placed: the trade is looked for', async () => {
  const books = bookkeeper({ loses: 1 });
  await using broker = await openScripted({
    ...books,
    placeTrade: (request, context) =>
      books.seen.length === 0
        ? books.placeTrade(request, context)
        : Promise.reject(new RpcError(Status.INVALID_ARGUMENT, 'delisted')),
  });
  const client = broker.client({ attemptTimeoutMs: 1_000 });
  await expect(client.placeTrade(buy)).rejects.toThrow('delisted');
  expect(await client.resolvePendingOrders()).toMatchObject([{ outcome: 'placed', trade: { orderId: 'order-1' } }]);
});

test('nothing is sent that could not be stored', async () => {
  const books = bookkeeper();
  await using broker = await openScripted(books);
  const journal: OrderJournal = { ...memoryJournal(), put: () => Promise.reject(new Error('the disk is full')) };
  await expect(broker.client({ journal }).placeTrade(buy)).rejects.toMatchObject({ reason: 'NOT_STORED' });
  expect(books.seen).toEqual([]);
});

test('a double tap: the same id twice at once is sent once', async () => {
  const books = bookkeeper();
  await using broker = await openScripted(books);
  const client = broker.client();
  const order = { ...buy, clientOrderId: 'tapped' };
  const [one, two] = await Promise.all([client.placeTrade(order), client.placeTrade(order)]);
  expect(one).toBe(two);
  expect(books.seen).toEqual(['tapped']);
});

const fresh = (clientOrderId: string) => ({ ...buy, clientOrderId, createdAt: new Date().toISOString() });

test('what was answered while others were being resolved is not sent again', async () => {
  const books = bookkeeper();
  const journal = memoryJournal();
  await using broker = await openScripted({
    ...books,
    placeTrade: async (request, context) => {
      await journal.remove('second'); // Another tab has its answer.
      return books.placeTrade(request, context);
    },
  });
  await journal.put(fresh('first'));
  await journal.put(fresh('second'));
  expect(await broker.client({ journal }).resolvePendingOrders()).toMatchObject([{ outcome: 'placed' }]);
  expect(books.seen).toEqual(['first']);
});

test('what one tab is sending another leaves to it', async () => {
  const books = bookkeeper();
  const { promise: held, resolve: answer } = Promise.withResolvers<void>();
  await using broker = await openScripted({
    ...books,
    placeTrade: async (request, context) => {
      const trade = await books.placeTrade(request, context);
      await held;
      return trade;
    },
  });
  const storage = fakeStorage();
  // The locks of this process, which Node has as browsers do.
  const tab = () => broker.client({ journal: storageJournal(storage, 'alice') });
  const sending = tab().placeTrade(buy);
  await until(() => books.seen.length === 1);
  const other = tab();
  expect(await other.pendingOrders()).toHaveLength(1);
  const resolved = other.resolvePendingOrders();
  const later = broker.client({ journal: storageJournal(storage, 'bob') }).placeTrade(buy);
  await until(() => books.seen.length > 1);
  answer();
  expect(await resolved).toEqual([]);
  expect(books.seen).toEqual([(await sending).clientOrderId, (await later).clientOrderId]);
});

test('a pending order that is placed again is the same order: it keeps its age, and a refusal does not end it', async () => {
  const books = bookkeeper();
  await using broker = await openScripted({ ...books, placeTrade: () => Promise.reject(refusal(Status.INVALID_ARGUMENT)) });
  const journal = memoryJournal();
  await journal.put(old);
  books.trades.set('old', { ...placed(old), createdAt: new Date(old.createdAt) });
  const client = broker.client({ journal });
  await expect(client.placeTrade({ ...buy, clientOrderId: 'old' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(await client.pendingOrders()).toEqual([old]);
  expect(await client.resolvePendingOrders()).toMatchObject([{ outcome: 'placed', trade: { orderId: 'order-1' } }]);
});

test('an order that has become too old meanwhile, e.g. asleep, is not sent again', async () => {
  await using broker = await openScripted({});
  let attempts = 0;
  const placeTrade = async () => {
    attempts += 1;
    const sentAt = Date.now();
    await until(() => Date.now() > sentAt + 500);
    throw new BrokerError('UNAVAILABLE', 'away');
  };
  const calls = { ...webCalls({ url: broker.url, token: () => 'a-token' }), placeTrade };
  const client = broker.client({ calls, maxResendAgeMs: 500 });
  await expect(client.placeTrade(buy)).rejects.toMatchObject({ code: 'ABORTED' });
  expect(attempts).toBeLessThan(2);
  expect(await client.pendingOrders()).toHaveLength(1);
});

test('an order that waits for the open is sent so, also by the program that finds it pending', async () => {
  const policies: SessionPolicy[] = [];
  const journal = memoryJournal();
  let isLost = true;
  await using broker = await openScripted({
    placeTrade: async (request, context) => {
      policies.push(request.sessionPolicy);
      if (isLost) await silence(context);
      return placed(request);
    },
  });
  const impatient = broker.client({ journal, timeoutMs: 3_000, attemptTimeoutMs: 2_000 });
  await expect(impatient.placeTrade({ ...buy, queueForOpen: true })).rejects.toBeInstanceOf(BrokerError);
  isLost = false;
  expect(await broker.client({ journal }).resolvePendingOrders()).toMatchObject([{ outcome: 'placed' }]);
  await broker.client().placeTrade(buy);
  const { SESSION_POLICY_QUEUE_FOR_OPEN, SESSION_POLICY_REJECT_WHEN_CLOSED } = SessionPolicy;
  expect(policies.length).toBeGreaterThan(2);
  expect(new Set(policies.slice(0, -1))).toEqual(new Set([SESSION_POLICY_QUEUE_FOR_OPEN]));
  expect(policies.at(-1)).toBe(SESSION_POLICY_REJECT_WHEN_CLOSED);
});
