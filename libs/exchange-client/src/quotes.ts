import type { RpcClient } from '@stockbroker/rpc';
import type { ExchangeServiceDefinition, Quote as QuoteMessage } from '@stockbroker/rpc/exchange';
import { type Log, sleep } from '@stockbroker/runtime';
import type { QuoteAnswer } from '@stockbroker/trade-flow';
import { type Quote, sideOf, type TradeType } from '@stockbroker/trading';
import { type QuoteFault, type QuoteRules, QuoteScreen } from './screenQuote.ts';

/** The exchange sends something every second; after three of silence the connection counts as lost. */
const SILENCE_MS = 3_000;
const RECONNECT_MS = 250;
const POLL_MS = 25;

export interface QuotedAt {
  quote: Quote;
  quotedAt: Date | undefined;
}

/** The latest quote of a ticker; null when the exchange gives none that is believed, and the stock is not halted. */
export interface TickerQuote {
  stockTicker: string;
  latest: QuotedAt | null;
}

interface Known {
  latest: QuotedAt | null;
  version: number;
  screen: QuoteScreen;
  fault: QuoteFault | undefined;
}

export interface QuotePorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Called for each quote whose prices are not believed. */
  onRefused(why: QuoteFault): void;
  /** Called at each message, and when the stream ends. */
  onHeard(): void;
}

/** The latest quotes of all tickers, kept by the exchange's stream. Whatever is wrong with one ticker's costs the others nothing. */
export class Quotes {
  readonly #client: RpcClient<typeof ExchangeServiceDefinition>;
  readonly #log: Log;
  readonly #rules: QuoteRules;
  readonly #ports: QuotePorts;
  readonly #quotes = new Map<string, Known>();
  #version = 0;
  readonly #stopped = new AbortController();
  #lastMessageMs = Number.NEGATIVE_INFINITY;
  #hasSnapshot = false;
  readonly #finished: Promise<void>;

  constructor(client: RpcClient<typeof ExchangeServiceDefinition>, log: Log, rules: QuoteRules, ports: QuotePorts) {
    this.#client = client;
    this.#log = log;
    this.#rules = rules;
    this.#ports = ports;
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

  /** The current quote, without waiting. Undefined for a ticker that is not listed, null when there is no quote, or an old one. */
  latest(stockTicker: string): QuotedAt | null | undefined {
    const latest = this.#quotes.get(stockTicker)?.latest;
    return latest == null || !this.#isOld(latest) ? latest : null;
  }

  /** Whether what was told of one of these tickers may be out of date. */
  isStale(tickers: Iterable<string>): boolean {
    if (!this.isLive()) return true;
    for (const ticker of tickers) {
      const latest = this.#quotes.get(ticker)?.latest;
      if (latest != null && this.#isOld(latest)) return true;
    }
    return false;
  }

  /** Tickers whose latest quote is too old. */
  countStale(): number {
    let count = 0;
    for (const { latest } of this.#quotes.values()) if (latest !== null && this.#isOld(latest)) count += 1;
    return count;
  }

  /** By its own time, not by that of its message. A halt says when it ends, and is never too old. */
  #isOld({ quote, quotedAt }: QuotedAt): boolean {
    return !quote.halted && this.#ports.now() - (quotedAt?.getTime() ?? Number.NEGATIVE_INFINITY) > this.#rules.maxAgeMs;
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

  /** The current quote, halted or with the side that such an order needs; waits up to `waitMs` for one. */
  async fresh(stockTicker: string, type: TradeType, waitMs: number): Promise<QuoteAnswer> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      if (!this.isLive() || !this.#hasSnapshot) return { kind: 'unreachable' };
      const latest = this.latest(stockTicker);
      if (latest === undefined) return { kind: 'unknown-ticker' };
      if (latest !== null && (latest.quote.halted || sideOf(type, latest.quote) !== null))
        return { kind: 'quote', quote: latest.quote };
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
          for (const message of quotes) this.#take(message);
          if (quotes.length > 0) this.#hasSnapshot = true;
          this.#lastMessageMs = performance.now();
          this.#ports.onHeard();
        }
      } catch (error) {
        if (!this.#stopped.signal.aborted) this.#log.debug({ err: error }, 'quote stream interrupted');
      } finally {
        clearInterval(watchdog);
      }
      this.#lastMessageMs = Number.NEGATIVE_INFINITY;
      this.#ports.onHeard();
      await sleep(RECONNECT_MS, this.#stopped.signal);
    }
  }

  /** A quote that is only restated is no change: nobody need be told. */
  #take(message: QuoteMessage): void {
    const known = this.#quotes.get(message.ticker);
    const screen = known?.screen ?? new QuoteScreen(this.#rules);
    const { quote, fault } = screen.screen(message, this.#ports.now());
    if (fault !== undefined) this.#refuse(message, fault, known?.fault);
    const isNone = quote.bid === null && quote.ask === null && !quote.halted;
    const latest = isNone ? null : { quote, quotedAt: message.quotedAt };
    const isChange = known === undefined || !isSame(known.latest, latest);
    this.#quotes.set(message.ticker, { latest, version: isChange ? this.#version : known.version, screen, fault });
  }

  /** Each is counted; in the log stands the first of a row. */
  #refuse({ ticker, bid, ask, quotedAt }: QuoteMessage, why: QuoteFault, before: QuoteFault | undefined): void {
    this.#ports.onRefused(why);
    const fields = { stockTicker: ticker, bid: bid.slice(0, 40), ask: ask.slice(0, 40), quotedAt, why };
    if (why !== before) this.#log.error(fields, 'a quote is not believed');
  }
}

function isSame(a: QuotedAt | null, b: QuotedAt | null): boolean {
  if (a === null || b === null) return a === b;
  return a.quote.bid === b.quote.bid && a.quote.ask === b.quote.ask && a.quote.halted === b.quote.halted;
}
