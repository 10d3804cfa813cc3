import { marketHours } from '@stockbroker/market-hours';

export interface OpeningClock {
  /** Environment of a worker: New York's hours, by a clock that is set so that the next session opens at that moment. */
  env: Record<string, string>;
  /** Milliseconds since 1970, by this process's clock. */
  opensAtMs: number;
}

/** Only a worker's decisions go by its wall clock; timers, leases and logs of others are left as they are. */
export function openingIn(ms: number): OpeningClock {
  const opensAtMs = Date.now() + ms;
  const { at } = marketHours({ kind: 'nyse', closings: [] });
  const market = at(opensAtMs);
  const nextOpenMs = market.isOpen ? at(market.untilMs).untilMs : market.untilMs;
  const aheadMs = nextOpenMs - opensAtMs;
  const setClock = `const now = Date.now; Date.now = () => now() + ${aheadMs};`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(setClock)}`;
  return { env: { MARKET_HOURS: 'nyse', NODE_OPTIONS }, opensAtMs };
}
