import { RpcError, Status } from '@stockbroker/rpc';
import type { WatchTradesRequest, WatchTradesResponse } from '@stockbroker/rpc/stockbroker';
import { expect, test } from 'vitest';
import { type ConnectionState, type Network, type TradesView, type Watch, webCalls } from '../src/index.ts';
import { change, heartbeat, openScripted, silence, snapshot, until } from './scriptedBroker.ts';

type Stream = (request: WatchTradesRequest, context: { signal: AbortSignal }) => AsyncIterable<WatchTradesResponse>;

/** Answers each call with the next of these streams, and the last one for ever. */
function inTurn(...streams: Stream[]) {
  const asked: bigint[] = [];
  const watchTrades: Stream = (request, context) => {
    asked.push(request.afterRevision);
    const stream = streams[Math.min(asked.length, streams.length) - 1];
    if (stream === undefined) throw new Error('no stream');
    return stream(request, context);
  };
  return { asked, watchTrades };
}

const telling = (...messages: WatchTradesResponse[]): Stream =>
  async function* (_request, context) {
    yield* messages;
    await silence(context);
  };

/** Reads in the background: what was seen, and how it ended. */
function reading(watch: Watch<WatchTradesResponse, TradesView>) {
  const seen: { revision: bigint; orderIds: string[] }[] = [];
  const states: ConnectionState[] = [];
  watch.connection.subscribe((state) => states.push(state));
  const ended = (async () => {
    for await (const view of watch) seen.push({ revision: view.revision, orderIds: [...view.trades.keys()] });
  })();
  ended.catch(() => {}); // Looked at by the test that expects it.
  return { seen, states, ended };
}

test('a snapshot, then each change, as views', async () => {
  const { watchTrades } = inTurn(telling(snapshot(4n, ['a']), heartbeat(4n), change(5n, 'b'), change(6n, 'c', 8n)));
  await using broker = await openScripted({ watchTrades });
  const watch = broker.client().watchTrades();
  const { seen, states, ended } = reading(watch);
  await until(() => seen.length === 3);
  expect(seen).toEqual([
    { revision: 4n, orderIds: ['a'] },
    { revision: 5n, orderIds: ['a', 'b'] },
    { revision: 8n, orderIds: ['a', 'b', 'c'] },
  ]);
  watch.close();
  await ended;
  expect(states).toEqual(['connecting', 'live', 'closed']);
});

test('a server that is killed in the middle: the stream goes on at the last revision, and says so', async () => {
  const { asked, watchTrades } = inTurn(telling(snapshot(4n, ['a']), change(5n, 'b')), telling(change(6n, 'c')));
  await using broker = await openScripted({ watchTrades });
  const watch = broker.client().watchTrades();
  const { seen, states } = reading(watch);
  await until(() => seen.length === 2);
  await broker.kill();
  await until(() => states.at(-1) === 'reconnecting');
  await broker.restart();
  await until(() => seen.length === 3);
  expect(seen.at(-1)).toEqual({ revision: 6n, orderIds: ['a', 'b', 'c'] });
  expect(asked).toEqual([0n, 5n]);
  expect(states).toEqual(['connecting', 'live', 'reconnecting', 'live']);
  watch.close();
});

test('a stream that falls silent is dead: it is opened again', async () => {
  const answered: bigint[] = [];
  const watchTrades: Stream = (request, context) => {
    answered.push(request.afterRevision);
    return telling(request.afterRevision === 0n ? snapshot(4n) : change(5n, 'b'))(request, context);
  };
  await using broker = await openScripted({ watchTrades });
  const watch = broker.client({ silenceMs: 1_000 }).watchTrades();
  const { seen } = reading(watch);
  await until(() => seen.length > 1);
  expect(seen.slice(0, 2).map(({ revision }) => revision)).toEqual([4n, 5n]);
  expect(answered).toContain(4n);
  watch.close();
});

test('signs of life keep it open', async () => {
  const silenceMs = 2_000;
  const watchTrades: Stream = async function* ({ afterRevision }, { signal }) {
    if (afterRevision === 0n) yield snapshot(4n);
    // A stream that is cut off after the silence comes no further than this, however often it is opened.
    for (const openedAt = performance.now(); performance.now() < openedAt + 1.5 * silenceMs && !signal.aborted; ) {
      yield heartbeat(4n);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    yield change(5n, 'b');
    await silence({ signal });
  };
  await using broker = await openScripted({ watchTrades });
  const watch = broker.client({ silenceMs }).watchTrades();
  const { seen } = reading(watch);
  await until(() => seen.length === 2);
  expect(seen.map(({ revision }) => revision)).toEqual([4n, 5n]);
  watch.close();
});

test('it tells when it was last heard of, also by a sign of life', async () => {
  const { promise: later, resolve: beat } = Promise.withResolvers<void>();
  const { watchTrades } = inTurn(async function* (_request, context) {
    yield snapshot(4n);
    await later;
    yield heartbeat(4n);
    await silence(context);
  });
  await using broker = await openScripted({ watchTrades });
  const watch = broker.client().watchTrades();
  expect(watch.heardAt).toBeUndefined();
  const { seen } = reading(watch);
  await until(() => seen.length === 1);
  const before = Number(watch.heardAt);
  expect(before).toBeLessThanOrEqual(Date.now());
  await until(() => Date.now() > before);
  beat();
  await until(() => Number(watch.heardAt) > before);
  watch.close();
});

test.each([
  ['a gap', change(6n, 'c')],
  ['a change told twice', change(4n, 'a')],
  ['a heartbeat beyond what was told', heartbeat(9n)],
  ['a change that ends before it begins', change(5n, 'c', 4n)],
  ['an event of a newer server', { event: undefined }],
])('%s: asked for again from the last revision, and then from the beginning', async (_what, unexpected) => {
  const { asked, watchTrades } = inTurn(
    telling(snapshot(4n, ['a']), unexpected),
    telling(unexpected),
    telling(snapshot(7n, ['a', 'b', 'c'])),
  );
  await using broker = await openScripted({ watchTrades });
  const watch = broker.client().watchTrades();
  const { seen } = reading(watch);
  await until(() => seen.length === 2);
  expect(asked).toEqual([0n, 4n, 0n]);
  expect(seen).toEqual([
    { revision: 4n, orderIds: ['a'] },
    { revision: 7n, orderIds: ['a', 'b', 'c'] },
  ]);
  watch.close();
});

test('a change without an account keeps the one before', async () => {
  const bare = change(5n, 'b');
  if (bare.event?.$case === 'change') bare.event.value.account = undefined;
  const { watchTrades } = inTurn(telling(snapshot(4n), bare, change(6n, 'c')));
  await using broker = await openScripted({ watchTrades });
  const cash: string[] = [];
  for await (const { account } of broker.client().watchTrades()) if (cash.push(account.cash) === 3) break;
  expect(cash).toEqual(['4.0000', '4.0000', '6.0000']);
});

test('a slow reader that is told to come again does', async () => {
  const { asked, watchTrades } = inTurn(
    async function* () {
      yield snapshot(4n);
      throw new RpcError(Status.ABORTED, 'too slow', { info: { reason: 'SLOW_READER' } });
    },
    telling(change(5n, 'b')),
  );
  await using broker = await openScripted({ watchTrades });
  const watch = broker.client().watchTrades();
  const { seen } = reading(watch);
  await until(() => seen.length === 2);
  expect(asked).toEqual([0n, 4n]);
  watch.close();
});

test('a stream whose token has ended goes on with the next one', async () => {
  const tokens: (string | undefined)[] = [];
  await using broker = await openScripted({
    async *watchTrades(_request, context) {
      tokens.push(context.header('authorization'));
      yield tokens.length === 1 ? snapshot(4n) : change(5n, 'b');
      if (tokens.length === 1) throw new RpcError(Status.UNAUTHENTICATED, 'expired', { info: { reason: 'TOKEN_EXPIRED' } });
      await silence(context);
    },
  });
  const calls = webCalls({ url: broker.url, token: () => `token-${tokens.length + 1}` });
  const watch = broker.client({ calls }).watchTrades();
  const { seen } = reading(watch);
  await until(() => seen.length === 2);
  expect(tokens).toEqual(['Bearer token-1', 'Bearer token-2']);
  watch.close();
});

test('a token that is no longer good ends it', async () => {
  const { watchTrades } = inTurn(
    async function* () {
      yield snapshot(4n);
    },
    () => {
      throw new RpcError(Status.UNAUTHENTICATED, 'the token has expired', { info: { reason: 'INVALID_TOKEN' } });
    },
  );
  await using broker = await openScripted({ watchTrades });
  const { ended, states } = reading(broker.client().watchTrades());
  await expect(ended).rejects.toMatchObject({ code: 'UNAUTHENTICATED', reason: 'INVALID_TOKEN' });
  expect(states.at(-1)).toBe('closed');
});

test('without a network it is offline, and goes on at once when the network is back', async () => {
  const { asked, watchTrades } = inTurn(telling(snapshot(4n)), telling(change(5n, 'b')));
  await using broker = await openScripted({ watchTrades });
  let isOnline = true;
  const listeners = new Set<() => void>();
  const network: Network = {
    isOnline: () => isOnline,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const become = (online: boolean) => {
    isOnline = online;
    for (const listener of listeners) listener();
  };
  // No attempt is made by itself within the time of a test.
  const watch = broker.client({ network, backoff: { baseMs: 2 ** 30, maxMs: 2 ** 30 } }).watchTrades();
  const { seen, states } = reading(watch);
  await until(() => seen.length === 1);
  become(false);
  await until(() => states.at(-1) === 'offline');
  become(true);
  await until(() => seen.length === 2);
  expect(asked).toEqual([0n, 4n]);
  expect(states).toEqual(['connecting', 'live', 'offline', 'live']);
  watch.close();
  await until(() => listeners.size === 0);
});

test('a view can be gone on from', async () => {
  const { asked, watchTrades } = inTurn(telling(snapshot(4n, ['a'])), telling(change(5n, 'b')));
  await using broker = await openScripted({ watchTrades });
  let kept: TradesView | undefined;
  for await (const view of broker.client().watchTrades()) {
    kept = view;
    break;
  }
  const watch = broker.client().watchTrades({ from: kept });
  const { seen } = reading(watch);
  await until(() => seen.length === 1);
  expect(seen).toEqual([{ revision: 5n, orderIds: ['a', 'b'] }]);
  expect(asked).toEqual([0n, 4n]);
  watch.close();
});

test('quotes: the latest of each stock, also after a break', async () => {
  const quote = (stockTicker: string, bid: string) => ({ stockTicker, bid, ask: bid, halted: false, quotedAt: undefined });
  const calls: string[][] = [];
  await using broker = await openScripted({
    async *watchQuotes({ stockTickers }, context) {
      calls.push(stockTickers);
      if (calls.length > 1) {
        yield { quotes: [quote('A', '3'), quote('B', '2')], stale: true };
        await silence(context);
      }
      yield { quotes: [quote('A', '1'), quote('B', '1')], stale: false };
      yield { quotes: [quote('B', '2')], stale: false };
      throw new RpcError(Status.UNAVAILABLE, 'a gateway that stops');
    },
  });
  const seen: unknown[] = [];
  for await (const { quotes, isStale } of broker.client().watchQuotes(['A', 'B'])) {
    seen.push([...quotes.values()].map(({ stockTicker, bid }) => stockTicker + bid).join() + (isStale ? ' stale' : ''));
    if (seen.length === 3) break;
  }
  expect(seen).toEqual(['A1,B1', 'A1,B2', 'A3,B2 stale']);
  expect(calls).toEqual([
    ['A', 'B'],
    ['A', 'B'],
  ]);
});
