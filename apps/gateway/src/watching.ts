import type { Quotes } from '@stockbroker/exchange-client';
import { type CallContext, RpcError, Status } from '@stockbroker/rpc';
import type { WatchQuotesResponse, WatchTradesResponse } from '@stockbroker/rpc/stockbroker';
import type { Store } from '@stockbroker/store';
import { type Changes, HEARTBEAT_MS, NoAccountError, watchTrades } from '@stockbroker/trade-flow';
import { toQuoteMessage, toWatchTradesResponse } from './convert.ts';
import { checkTicker, invalidField } from './errors.ts';
import { withPatience } from './patience.ts';
import type { Pulse } from './pulse.ts';

export interface WatchingPorts {
  store: Store;
  changes: Changes;
  quotes: Quotes;
  /** Beats as often as quotes are told at most. */
  pulse: Pulse;
  partitions: number;
  /** How long a stream waits for a database that is away. */
  patienceMs: number;
  /** Aborts when this server is about to stop: clients go on at another one. */
  stopping: AbortSignal;
}

/** The methods that answer with a stream which lasts. */
export interface Watching {
  trades(customerId: string, afterRevision: bigint, context: CallContext): AsyncIterable<WatchTradesResponse>;
  quotes(stockTickers: string[], context: CallContext): AsyncIterable<WatchQuotesResponse>;
}

const HIGHEST_REVISION = 2n ** 31n - 1n;
const MOST_TICKERS = 100;

export function createWatching(ports: WatchingPorts): Watching {
  const { store, changes, quotes, pulse, partitions, patienceMs, stopping } = ports;
  return {
    async *trades(customerId, afterRevision, context) {
      if (afterRevision < 0n) throw invalidField('after_revision', 'must not be negative');
      const after = afterRevision > HIGHEST_REVISION ? 0 : Number(afterRevision);
      const signal = AbortSignal.any([context.signal, stopping]);
      const patiently = <T>(run: () => Promise<T>) => withPatience({ deadline: undefined, signal }, patienceMs, run);
      const patientStore = {
        readSnapshot: (customer: Parameters<Store['readSnapshot']>[0]) => patiently(() => store.readSnapshot(customer)),
        readChanges: (since: Parameters<Store['readChanges']>[0]) => patiently(() => store.readChanges(since)),
      };
      const events = watchTrades({ store: patientStore, changes, partitions }, { customerId, after, signal });
      for await (const event of events) yield toWatchTradesResponse(event);
      if (stopping.aborted) throw goesAway();
      if (!signal.aborted) throw new NoAccountError(customerId);
    },

    async *quotes(stockTickers, context) {
      const tickers = new Set(stockTickers);
      checkTickers(tickers, quotes);
      let version = -1;
      let wasStale: boolean | undefined;
      let toldMs = 0;
      while (!context.signal.aborted) {
        if (stopping.aborted) throw goesAway();
        const changed = quotes.changedSince(version, tickers);
        version = quotes.version;
        const stale = quotes.isStale(tickers);
        const nowMs = performance.now();
        if (changed.length > 0 || stale !== wasStale || nowMs - toldMs >= HEARTBEAT_MS) {
          yield { quotes: changed.map(toQuoteMessage), stale };
          wasStale = stale;
          toldMs = nowMs;
        }
        await pulse.next();
      }
    },
  };
}

/** @throws RpcError INVALID_ARGUMENT */
function checkTickers(tickers: Set<string>, quotes: Quotes): void {
  if (tickers.size === 0 || tickers.size > MOST_TICKERS)
    throw invalidField('stock_tickers', `must be 1 to ${MOST_TICKERS} tickers`);
  for (const ticker of tickers) {
    checkTicker(ticker, 'stock_tickers');
    if (quotes.isListed(ticker) === false)
      throw invalidField('stock_tickers', `must be listed, ${ticker} is not; ListInstruments names all tickers`);
  }
}

function goesAway(): RpcError {
  return new RpcError(Status.UNAVAILABLE, 'this server is about to stop: call again, another one will answer', {
    info: { reason: 'STOPPING' },
    retryAfterMs: 100,
  });
}
