import type { Quotes } from '@stockbroker/exchange-client';
import { PriceRing, type SeenPrice } from './priceRing.ts';

export interface Prices {
  /** Of the last quarter of an hour, oldest first. */
  of(stockTicker: string): readonly SeenPrice[];
  stop(): void;
}

const EVERY_MS = 1_000;
const KEPT_MS = 15 * 60_000;
/** Of one stock, 14 kB: 140 MB for ten thousand stocks that all change each second. */
const MOST_PRICES = KEPT_MS / EVERY_MS;

/** Keeps what each stock has cost of late, for charts: one price a second, and none for seconds in which nothing changed. */
export function followPrices(quotes: Quotes): Prices {
  const byTicker = new Map<string, PriceRing>();
  let version = -1;
  const look = () => {
    const changed = quotes.changedSince(version);
    version = quotes.version;
    for (const { stockTicker, latest } of changed) {
      if (latest?.quotedAt === undefined) continue;
      const { bid, ask } = latest.quote;
      const price = bid !== null && ask !== null ? (bid + ask) / 2n : (bid ?? ask);
      if (price === null) continue;
      const ring = byTicker.get(stockTicker) ?? new PriceRing(MOST_PRICES);
      ring.put({ quotedAt: latest.quotedAt, price });
      byTicker.set(stockTicker, ring);
    }
  };
  const timer = setInterval(look, EVERY_MS);
  return { of: (stockTicker) => byTicker.get(stockTicker)?.list(KEPT_MS) ?? [], stop: () => clearInterval(timer) };
}
