import type { RpcClient } from '@stockbroker/rpc';
import type { ExchangeServiceDefinition } from '@stockbroker/rpc/exchange';
import { type Log, sleep } from '@stockbroker/runtime';
import type { QuoteAnswer } from '@stockbroker/trade-flow';
import type { Quote } from '@stockbroker/trading';
import { fromQuote } from './convert.ts';

/** The exchange sends something every second; after three of silence the connection counts as lost. */
const SILENCE_MS = 3_000;
const RECONNECT_MS = 250;
const POLL_MS = 25;

export interface QuotedAt {
  quote: Quote;
  quotedAt: Date | undefined;
}

/** The latest quote of a ticker; null when the exchange gives none. */
export interface TickerQuote {
  stockTicker: string;
  latest: QuotedAt | null;
}

/** The latest quotes of all tickers, kept by the exchange's stream. */
export class Quotes {
  readonly #client: RpcClient<typeof ExchangeServiceDefinition>;
  readonly #log: Log;
  readonly #quotes = new Map<string, { latest: QuotedAt | null; version: number }>();
  #version = 0;
  readonly #stopped = new AbortController();
  #lastMessageMs = Number.NEGATIVE_INFINITY;
  #hasSnapshot = false;
  readonly #finished: Promise<void>;

  constructor(client: RpcClient<typeof ExchangeServiceDefinition>, log: Log) {
    this.#client = client;
    this.#log = log;
    this.#finished = this.#follow();
  }

  /** False while the stream is silent: what is known may be out of date. */
  isLive(): boolean {
    return performance.now() - this.#lastMessageMs < SILENCE_MS;
  }

  /** Whether the exchange lists a ticker; undefined until it has told. */
  isListed(stockTicker: string): boolean | undefined {
    return this.#hasSnapshot ? this.#quotes.has(stockTicker) : undefined;
  }

  /** The current quote, without waiting. Undefined for a ticker that is not listed, null when there is no quote. */
  latest(stockTicker: string): QuotedAt | null | undefined {
    return this.#quotes.get(stockTicker)?.latest;
  }

  /** Rises with each message of the exchange. */
  get version(): number {
    return this.#version;
  }

  /** Of these tickers, by default all, those whose quote has changed since a version. */
  changedSince(version: number, tickers: Iterable<string> = this.#quotes.keys()): TickerQuote[] {
    const changed: TickerQuote[] = [];
    for (const stockTicker of tickers) {
      const known = this.#quotes.get(stockTicker);
      if (known !== undefined && known.version > version) changed.push({ stockTicker, latest: known.latest });
    }
    return changed;
  }

  /** The current quote; waits up to `waitMs` for one. */
  async fresh(stockTicker: string, waitMs: number): Promise<QuoteAnswer> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      if (!this.isLive() || !this.#hasSnapshot) return { kind: 'unreachable' };
      const latest = this.latest(stockTicker);
      if (latest === undefined) return { kind: 'unknown-ticker' };
      if (latest !== null) return { kind: 'quote', quote: latest.quote };
      if (performance.now() >= deadline) return { kind: 'no-quote' };
      await sleep(POLL_MS, this.#stopped.signal);
      if (this.#stopped.signal.aborted) return { kind: 'unreachable' };
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#finished;
  }

  async #follow(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const connection = new AbortController();
      const watchdog = setInterval(() => {
        if (performance.now() - startedMs > SILENCE_MS && !this.isLive()) connection.abort();
      }, 500);
      const startedMs = performance.now();
      const signal = AbortSignal.any([this.#stopped.signal, connection.signal]);
      try {
        for await (const { quotes } of this.#client.streamQuotes({}, { signal })) {
          this.#version += 1;
          for (const message of quotes) {
            const quote = fromQuote(message);
            const latest = quote === null ? null : { quote, quotedAt: message.quotedAt };
            this.#quotes.set(message.ticker, { latest, version: this.#version });
          }
          if (quotes.length > 0) this.#hasSnapshot = true;
          this.#lastMessageMs = performance.now();
        }
      } catch (error) {
        if (!this.#stopped.signal.aborted) this.#log.debug({ err: error }, 'quote stream interrupted');
      } finally {
        clearInterval(watchdog);
      }
      this.#lastMessageMs = Number.NEGATIVE_INFINITY;
      await sleep(RECONNECT_MS, this.#stopped.signal);
    }
  }
}
