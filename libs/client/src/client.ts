import type {
  Account,
  Instrument,
  Price,
  Quote,
  Trade,
  TradeStatus,
  WatchQuotesResponse,
  WatchTradesResponse,
} from '@stockbroker/rpc/stockbroker';
import { type Backoff, DEFAULT_BACKOFF, type RetryOptions, retrying } from './backoff.ts';
import type { BrokerError } from './brokerError.ts';
import type { TradingCalls } from './calls.ts';
import { type Network, thisNetwork } from './network.ts';
import { memoryJournal, type OrderJournal, type PendingOrder } from './orderJournal.ts';
import { type Order, Orders, type Resolved } from './orders.ts';
import { type TradesView, withEvent } from './tradesView.ts';
import { Watch, type WatchOptions } from './watch.ts';

export interface ClientOptions {
  /** `webCalls(…)`, or in Node what RpcChannel of @stockbroker/rpc makes for gRPC. */
  calls: TradingCalls;
  /** One customer's; by default in memory, which a crash does not survive. */
  journal?: OrderJournal;
  /** A call with all its attempts, milliseconds; default 20,000. */
  timeoutMs?: number;
  /** One attempt; default 8,000: a gateway waits 5,000 for a database that is away. */
  attemptTimeoutMs?: number;
  backoff?: Backoff;
  /** A stream that is silent for this long is dead, milliseconds; default 25,000. */
  silenceMs?: number;
  /** A pending order that is older is not sent again, but looked for; default five minutes. */
  maxResendAgeMs?: number;
  network?: Network;
  /** Told before each wait for another attempt of a call. */
  onRetry?: (error: BrokerError, waitMs: number) => void;
}

export interface TradesPage {
  trades: Trade[];
  /** Give it for the next page; empty on the last one. */
  nextPageToken: string;
}

export interface QuotesUpdate {
  /** The latest of each stock that is followed; one without bid and ask: there is none at present. */
  quotes: ReadonlyMap<string, Quote>;
  /** The broker gets no quotes from the exchange: these may be out of date. */
  isStale: boolean;
}

/** A customer's calls of the broker. All fail with BrokerError; what is safe to repeat is repeated while that may help. */
export class BrokerClient {
  readonly #calls: TradingCalls;
  readonly #retry: RetryOptions;
  readonly #watch: WatchOptions;
  readonly #orders: Orders;

  constructor(options: ClientOptions) {
    const { calls, timeoutMs = 20_000, attemptTimeoutMs = 8_000, backoff = DEFAULT_BACKOFF, onRetry } = options;
    this.#calls = calls;
    this.#retry = { timeoutMs, attemptTimeoutMs, backoff, onRetry };
    this.#watch = { silenceMs: options.silenceMs ?? 25_000, backoff, network: options.network ?? thisNetwork() };
    const { journal = memoryJournal(), maxResendAgeMs = 5 * 60_000 } = options;
    this.#orders = new Orders({ calls, journal, retry: this.#retry, maxResendAgeMs });
  }

  /** Places an order once, see Orders.place: stored in the journal, then sent, again under the same id while no answer comes. */
  placeTrade(order: Order): Promise<Trade> {
    return this.#orders.place(order);
  }

  /** Orders that were sent, or about to be, and never answered. */
  pendingOrders(): Promise<PendingOrder[]> {
    return this.#orders.pending();
  }

  /** Finds out what became of them. To be called when a program starts, and again while some stay unknown. */
  resolvePendingOrders(): Promise<Resolved[]> {
    return this.#orders.resolve();
  }

  /**
   * Ends a trade that has not been sent to the exchange yet; again and again, until an answer comes.
   *
   * @throws BrokerError FAILED_PRECONDITION: it is too late, reason ALREADY_EXECUTED or ALREADY_ENDED
   */
  cancelTrade(orderId: string): Promise<Trade> {
    return retrying((options) => this.#calls.cancelTrade({ orderId }, options), this.#retry);
  }

  getTrade(orderId: string): Promise<Trade> {
    return retrying((options) => this.#calls.getTrade({ orderId }, options), this.#retry);
  }

  /** Newest first, a page at a time. */
  listTrades(request: { pageSize?: number; pageToken?: string; statuses?: TradeStatus[] } = {}): Promise<TradesPage> {
    return retrying((options) => this.#calls.listTrades(request, options), this.#retry);
  }

  getAccount(): Promise<Account> {
    return retrying((options) => this.#calls.getAccount({}, options), this.#retry);
  }

  getQuote(stockTicker: string): Promise<Quote> {
    return retrying((options) => this.#calls.getQuote({ stockTicker }, options), this.#retry);
  }

  /** Every stock that can be traded, by ticker. */
  async listInstruments(): Promise<Instrument[]> {
    const all: Instrument[] = [];
    for (let pageToken = ''; ; ) {
      const page = await retrying((options) => this.#calls.listInstruments({ pageToken }, options), this.#retry);
      all.push(...page.instruments);
      if (page.nextPageToken === '') return all;
      pageToken = page.nextPageToken;
    }
  }

  /** What a stock has cost of late, oldest first. */
  async listPrices(stockTicker: string): Promise<Price[]> {
    return (await retrying((options) => this.#calls.listPrices({ stockTicker }, options), this.#retry)).prices;
  }

  /**
   * Follows the customer's trades and account: the view, and a new one after each change. Nothing is missed, whatever breaks.
   *
   * @param from a view to go on from; without one it begins with a snapshot
   */
  watchTrades({ from }: { from?: TradesView | undefined } = {}): Watch<WatchTradesResponse, TradesView> {
    let view = from;
    let unexpected = 0;
    return new Watch<WatchTradesResponse, TradesView>(
      {
        // What does not follow is asked for once more; then all that was known is forgotten.
        open: (signal) => this.#calls.watchTrades({ afterRevision: unexpected > 1 ? 0n : (view?.revision ?? 0n) }, { signal }),
        take: (message) => {
          const next = withEvent(view, message);
          unexpected = next === undefined ? unexpected + 1 : 0;
          if (next === undefined) return 'again';
          if (next === view) return 'nothing';
          view = next;
          return { tell: next };
        },
      },
      this.#watch,
    );
  }

  /** Follows the quotes of 1 to 100 stocks. */
  watchQuotes(stockTickers: readonly string[]): Watch<WatchQuotesResponse, QuotesUpdate> {
    let quotes: ReadonlyMap<string, Quote> = new Map();
    return new Watch<WatchQuotesResponse, QuotesUpdate>(
      {
        open: (signal) => this.#calls.watchQuotes({ stockTickers: [...stockTickers] }, { signal }),
        take: (message) => {
          quotes = new Map([...quotes, ...message.quotes.map((quote) => [quote.stockTicker, quote] as const)]);
          return { tell: { quotes, isStale: message.stale } };
        },
      },
      this.#watch,
    );
  }
}
