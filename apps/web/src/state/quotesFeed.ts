import { computed, effect, type ReadonlySignal, signal } from '@preact/signals';
import { type BrokerClient, BrokerError, type ConnectionState, type Quote, type Watch } from '@stockbroker/client';

import { calmly } from './calmly.ts';

/** The server takes as many in one stream. */
const MOST = 100;

/** Live quotes of the stocks that the page shows. */
export class QuotesFeed {
  readonly quotes = signal<ReadonlyMap<string, Quote>>(new Map());
  readonly connection = signal<ConnectionState>('connecting');
  /** The broker gets no quotes, or the page gets none from the broker: what is shown may be out of date. */
  readonly isOld = computed(() => this.#isStale.value || this.connection.value !== 'live');
  readonly #isStale = signal(false);
  readonly #client: BrokerClient;
  readonly #wanted: ReadonlySignal<string>;
  #stop: (() => void) | undefined;

  /** @param wanted tickers, separated by spaces: a value that stays the same while they do */
  constructor(client: BrokerClient, wanted: ReadonlySignal<string>) {
    this.#client = client;
    this.#wanted = wanted;
  }

  start(): void {
    if (this.#stop !== undefined) return;
    let watch: Watch<unknown, unknown> | undefined;
    const end = effect(() => {
      const tickers = this.#wanted.value.split(' ').filter((ticker) => ticker !== '');
      watch?.close();
      watch = tickers.length === 0 ? undefined : this.#follow(tickers.slice(0, MOST));
    });
    this.#stop = () => {
      this.#stop = undefined;
      end();
      watch?.close();
    };
  }

  /** Until `start` the prices that are shown are old ones. */
  stop(): void {
    if (this.#stop === undefined) return;
    this.#stop();
    this.connection.value = 'reconnecting';
  }

  #follow(tickers: string[]): Watch<unknown, unknown> {
    // What no stream follows would be shown as live when its stock is chosen again.
    this.quotes.value = new Map([...this.quotes.peek()].filter(([ticker]) => tickers.includes(ticker)));
    const watch = this.#client.watchQuotes(tickers);
    const show = calmly((state) => {
      // One that is replaced by another says nothing about the connection.
      if (state !== 'closed') this.connection.value = state;
    });
    watch.connection.subscribe(show);
    const read = async () => {
      for await (const { quotes, isStale } of watch) {
        this.quotes.value = new Map([...this.quotes.value, ...quotes]);
        this.#isStale.value = isStale;
      }
    };
    read().catch((error: unknown) => {
      this.connection.value = 'closed';
      if (!(error instanceof BrokerError)) throw error;
    });
    return watch;
  }
}
