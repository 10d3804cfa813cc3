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
      this.points.value = onePerSecond([...before, ...this.points.value]).slice(-MOST);
      this.state.value = 'ready';
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.state.value = 'failed'; // It begins with what comes from now on.
    }
  }

  add(quote: Quote): void {
    const [point] = pointOf(quote.quotedAt, pricesOf(quote)?.mid);
    if (point !== undefined) this.points.value = onePerSecond([...this.points.value, point]).slice(-MOST);
  }
}

/** The last of each second, as charts need it; one that is older than what came before it is left out. */
export function onePerSecond(points: readonly PricePoint[]): PricePoint[] {
  const kept: PricePoint[] = [];
  for (const point of points) {
    const last = kept.at(-1);
    if (last === undefined || point.time > last.time) kept.push(point);
    else if (point.time === last.time) kept[kept.length - 1] = point;
  }
  return kept;
}

function pointOf(at: Date | undefined, price: bigint | undefined): PricePoint[] {
  return at === undefined || price === undefined ? [] : [{ time: Math.floor(at.getTime() / 1_000), price: shownPrice(price) }];
}
