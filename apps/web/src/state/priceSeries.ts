import { signal } from '@preact/signals';
import { type BrokerClient, BrokerError, type Quote } from '@stockbroker/client';
import { usdOf } from '../money.ts';
import { pricesOf, shownPrice } from '../prices.ts';

export interface PricePoint {
  /** Seconds since 1970. */
  time: number;
  price: bigint;
}

/** As long as the server keeps them. */
const MOST = 15 * 60;

/** What one stock has cost of late, and costs now. */
export class PriceSeries {
  readonly stockTicker: string;
  /** Oldest first, one a second at most. */
  readonly points = signal<readonly PricePoint[]>([]);
  readonly state = signal<'loading' | 'ready' | 'failed'>('loading');
  readonly #client: BrokerClient;

  constructor(client: BrokerClient, stockTicker: string) {
    this.#client = client;
    this.stockTicker = stockTicker;
  }

  async read(): Promise<void> {
    this.state.value = 'loading';
    try {
      const prices = await this.#client.listPrices(this.stockTicker);
      const before = prices.flatMap(({ quotedAt, price }) => pointOf(quotedAt, usdOf(price)));
      const last = before.at(-1)?.time ?? 0;
      this.points.value = [...before, ...this.points.value.filter(({ time }) => time > last)].slice(-MOST);
      this.state.value = 'ready';
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.state.value = 'failed'; // It begins with what comes from now on.
    }
  }

  add(quote: Quote): void {
    const [point] = pointOf(quote.quotedAt, pricesOf(quote)?.mid);
    const points = this.points.value;
    const last = points.at(-1);
    if (point === undefined || (last !== undefined && point.time < last.time)) return;
    const before = last?.time === point.time ? points.slice(0, -1) : points;
    this.points.value = [...before, point].slice(-MOST);
  }
}

function pointOf(at: Date | undefined, price: bigint | undefined): PricePoint[] {
  return at === undefined || price === undefined ? [] : [{ time: Math.floor(at.getTime() / 1_000), price: shownPrice(price) }];
}
