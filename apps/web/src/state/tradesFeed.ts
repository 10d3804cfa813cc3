import { signal } from '@preact/signals';
import { type BrokerClient, BrokerError, type ConnectionState, type Trade, type TradesView } from '@stockbroker/client';
import { statusOf } from '../words.ts';
import { calmly } from './calmly.ts';

/** The stream of trades and cash, as long as the page is looked at. What it shows comes from nowhere else. */
export class TradesFeed {
  readonly view = signal<TradesView | undefined>(undefined);
  readonly connection = signal<ConnectionState>('connecting');
  /** While it is not live: when the last news came, or the last sign that there is none. */
  readonly liveUntil = signal<Date | undefined>(undefined);
  /** Why it has ended for good; what is no BrokerError is a fault of the page. */
  readonly failure = signal<unknown>(undefined);
  readonly #client: BrokerClient;
  /** Told of each trade that has changed while the page was open. */
  readonly #onNews: (trade: Trade) => void;
  /** Told when it had to begin anew, so that trades may have ended that are not in its view. */
  readonly #onAnew: () => void;
  #close: (() => void) | undefined;

  constructor(client: BrokerClient, onNews: (trade: Trade) => void, onAnew: () => void) {
    this.#client = client;
    this.#onNews = onNews;
    this.#onAnew = onAnew;
  }

  start(): void {
    if (this.#close !== undefined || this.failure.value !== undefined) return;
    const watch = this.#client.watchTrades({ from: this.view.value });
    let wasLive = false;
    const show = calmly((state) => {
      this.connection.value = state;
    });
    const unsubscribe = watch.connection.subscribe((state) => {
      if (wasLive && state !== 'live') this.liveUntil.value = watch.heardAt;
      wasLive = state === 'live';
      show(state);
    });
    const close = () => {
      // One that ends late leaves the one alone that has replaced it.
      if (this.#close === close) this.#close = undefined;
      watch.close();
      unsubscribe();
    };
    this.#close = close;
    void this.#read(watch, close);
  }

  /** Until `start`: what is shown then is from before, and the page says so. */
  stop(): void {
    if (this.#close === undefined) return;
    this.#close();
    this.connection.value = 'reconnecting';
  }

  async #read(views: AsyncIterable<TradesView>, close: () => void): Promise<void> {
    try {
      for await (const view of views) {
        const before = this.view.value;
        this.view.value = view;
        if (before === undefined) continue;
        if (view.snapshotRevision !== before.snapshotRevision) this.#onAnew();
        this.#tell(before, view);
      }
    } catch (error) {
      this.failure.value = error;
      if (!(error instanceof BrokerError)) throw error;
    } finally {
      close();
    }
  }

  #tell(before: TradesView, { trades }: TradesView): void {
    for (const trade of trades.values()) {
      const known = before.trades.get(trade.orderId);
      if (known === undefined || statusOf(known) !== statusOf(trade)) this.#onNews(trade);
    }
  }
}
