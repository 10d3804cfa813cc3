import { Quote } from '@stockbroker/rpc/exchange';
import type { SeededRandom } from '@stockbroker/runtime';
import type { ListedInstrument } from './instruments.ts';
import { formatPriceE4 } from './prices.ts';

/** One ticker and its market now. Prices are undefined while there is no quote. */
export interface Listing {
  readonly ticker: string;
  readonly name: string;
  bidE4: number | undefined;
  askE4: number | undefined;
  halted: boolean;
}

/** Told of every change; it must take the quotes at once. */
type QuoteListener = (changed: Quote[]) => void;

interface WalkedListing extends Listing {
  readonly referenceE4: number;
  midE4: number;
  /** True: the simulator's user has set the quote, and it moves no more. */
  fixed: boolean;
  /** The quote as brokers get it; a new object for each change. */
  quote: Quote;
}

const MOVING_SHARE = 0.2;
/** Largest single move, as a share of the price. */
const STEP = 0.0017;
/** Share of the distance to the reference price that a move takes back. With STEP, prices stay within some 3% of it. */
const REVERSION = 0.002;
const MAX_DISTANCE = 0.1;
const SPREAD = 0.0001;

/** The quotes of all instruments, moved by a mean-reverting random walk. */
export class Market {
  readonly #listings = new Map<string, WalkedListing>();
  readonly #listeners = new Set<QuoteListener>();
  readonly #random: SeededRandom;
  readonly #isFrozen: () => boolean;
  readonly #timers: NodeJS.Timeout[] = [];

  /**
   * @param tickMs time between moves; 0: prices stand still
   * @param feed how often quotes that stay are restated, 0: never; and whether nothing is told of them at all
   */
  constructor(
    instruments: readonly ListedInstrument[],
    random: SeededRandom,
    tickMs: number,
    feed: { restateMs: number; isFrozen: () => boolean } = { restateMs: 0, isFrozen: () => false },
  ) {
    this.#random = random;
    this.#isFrozen = feed.isFrozen;
    const byTicker = instruments.toSorted((a, b) => (a.ticker < b.ticker ? -1 : 1));
    for (const { ticker, name, priceE4 } of byTicker) {
      const start = { ticker, name, referenceE4: priceE4, midE4: priceE4, bidE4: undefined, askE4: undefined };
      const listing: WalkedListing = { ...start, halted: false, fixed: false, quote: Quote.create({ ticker }) };
      this.#quoteAround(listing);
      listing.quote = toQuote(listing);
      this.#listings.set(ticker, listing);
    }
    if (tickMs > 0) this.#timers.push(setInterval(() => this.tick(), tickMs));
    if (feed.restateMs > 0) this.#timers.push(setInterval(() => this.restate(), feed.restateMs));
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  listing(ticker: string): Listing | undefined {
    return this.#listings.get(ticker);
  }

  /** By ticker. */
  listings(): Listing[] {
    return [...this.#listings.values()];
  }

  /** All quotes as they are now. */
  quotes(): Quote[] {
    return Array.from(this.#listings.values(), (listing) => listing.quote);
  }

  /** Adds a listener. @returns removes it */
  listen(listener: QuoteListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Fixes a quote, or takes it away when the prices are undefined. @returns false when the ticker is not listed */
  setQuote(ticker: string, bidE4: number | undefined, askE4: number | undefined, halted: boolean): boolean {
    const listing = this.#listings.get(ticker);
    if (listing === undefined) return false;
    Object.assign(listing, { bidE4, askE4, halted, fixed: true });
    this.#publish([listing]);
    return true;
  }

  /** Moves some tickers. */
  tick(): void {
    const changed: WalkedListing[] = [];
    for (const listing of this.#listings.values()) {
      if (this.#random.number() >= MOVING_SHARE || listing.fixed) continue;
      const { bidE4, askE4 } = listing;
      this.#walk(listing);
      if (listing.bidE4 !== bidE4 || listing.askE4 !== askE4) changed.push(listing);
    }
    if (changed.length > 0) this.#publish(changed);
  }

  /** Says of every quote that it still stands. */
  restate(): void {
    this.#publish([...this.#listings.values()]);
  }

  #walk(listing: WalkedListing): void {
    const { referenceE4, midE4 } = listing;
    const step = (this.#random.number() * 2 - 1) * STEP * midE4 + (referenceE4 - midE4) * REVERSION;
    const [low, high] = [referenceE4 * (1 - MAX_DISTANCE), referenceE4 * (1 + MAX_DISTANCE)];
    listing.midE4 = Math.round(Math.min(high, Math.max(low, midE4 + step)));
    this.#quoteAround(listing);
  }

  /** Quotes stocks above a dollar in cents and cheaper ones in hundredths of a cent, as SEC rule 612 has it. */
  #quoteAround(listing: WalkedListing): void {
    const tickE4 = listing.midE4 > 10_200 ? 100 : 1;
    const spreadE4 = Math.max(1, Math.round((listing.midE4 * SPREAD) / tickE4)) * tickE4;
    listing.bidE4 = Math.floor((listing.midE4 - spreadE4 / 2) / tickE4) * tickE4;
    listing.askE4 = listing.bidE4 + spreadE4;
  }

  #publish(changed: WalkedListing[]): void {
    if (this.#isFrozen()) return;
    for (const listing of changed) listing.quote = toQuote(listing);
    const quotes = changed.map((listing) => listing.quote);
    for (const listener of this.#listeners) listener(quotes);
  }
}

function toQuote({ ticker, bidE4, askE4, halted }: Listing): Quote {
  const price = (priceE4: number | undefined) => (priceE4 === undefined ? '' : formatPriceE4(priceE4));
  return { ticker, bid: price(bidE4), ask: price(askE4), halted, quotedAt: new Date() };
}
