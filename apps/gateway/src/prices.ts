import type { Quotes } from '@stockbroker/exchange-client';
import type { UsdE4 } from '@stockbroker/trading';

interface SeenPrice {
  quotedAt: Date;
  /** The middle between bid and ask. */
  price: UsdE4;
}

export interface Prices {
  /** Of the last quarter of an hour, oldest first. */
  of(stockTicker: string): readonly SeenPrice[];
  stop(): void;
}

const EVERY_MS = 1_000;
const KEPT_MS = 15 * 60_000;

/** Keeps what each stock has cost of late, for charts: one price a second, and none for seconds in which nothing changed. */
export function followPrices(quotes: Quotes): Prices {
  const byTicker = new Map<string, SeenPrice[]>();
  let version = -1;
  const look = () => {
    const changed = quotes.changedSince(version);
    version = quotes.version;
    for (const { stockTicker, latest } of changed) {
      if (latest?.quotedAt === undefined) continue;
      const { bid, ask } = latest.quote;
      const seen = byTicker.get(stockTicker) ?? [];
      seen.push({ quotedAt: latest.quotedAt, price: (bid + ask) / 2n });
      const oldestMs = latest.quotedAt.getTime() - KEPT_MS;
      while (seen[0] !== undefined && seen[0].quotedAt.getTime() < oldestMs) seen.shift();
      byTicker.set(stockTicker, seen);
    }
  };
  const timer = setInterval(look, EVERY_MS);
  return { of: (stockTicker) => byTicker.get(stockTicker) ?? [], stop: () => clearInterval(timer) };
}
