import type { Quote, StreamQuotesResponse } from '@stockbroker/rpc/exchange';
import type { Market } from './market.ts';

/** Half of what is promised, so that a heartbeat that is a little late is still in time. */
const HEARTBEAT_MS = 500;

/**
 * All quotes, then the changes. What changes while the subscriber is not ready for more is kept once per ticker, the latest, so a slow
 * subscriber costs no more memory than a fast one and never gets old prices.
 *
 * @param check called before each message; what it throws ends the stream
 */
export async function* streamQuotes(market: Market, signal: AbortSignal, check: () => void): AsyncIterable<StreamQuotesResponse> {
  const changes = new Map<string, Quote>();
  let wake: (() => void) | undefined;
  const stopListening = market.listen((quotes) => {
    for (const quote of quotes) changes.set(quote.ticker, quote);
    wake?.();
  });
  try {
    check();
    yield { quotes: market.quotes() };
    while (!signal.aborted) {
      if (changes.size === 0) {
        await new Promise<void>((resolve) => {
          const done = () => {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            wake = undefined;
            resolve();
          };
          const timer = setTimeout(done, HEARTBEAT_MS);
          signal.addEventListener('abort', done, { once: true });
          wake = done;
        });
      }
      if (signal.aborted) return;
      check();
      const quotes = [...changes.values()];
      changes.clear();
      yield { quotes };
    }
  } finally {
    stopListening();
  }
}
