import { collar, type Trade } from '@stockbroker/trading';
import type { Clock, Decision, Exchange, MarketHours } from './ports.ts';

export interface DecidePorts {
  exchange: Exchange;
  hours: MarketHours;
  clock: Clock;
}

/**
 * What to do with a placed trade, as far as the market is concerned; the customer's means are checked by the store's statement.
 * 'wait' while the exchange cannot be reached: the trade stays placed, until it is older than `maxPlacedAgeMs`.
 */
export async function decide(ports: DecidePorts, trade: Trade, maxPlacedAgeMs: number): Promise<Decision | 'wait'> {
  const { stockTicker } = trade;
  const market = ports.hours.at(ports.clock.now());
  if (!market.isOpen) return { refusal: { code: 'MARKET_CLOSED', opensAtMs: market.untilMs } };
  const answer = ports.exchange.isReachable() ? await ports.exchange.freshQuote(stockTicker) : ({ kind: 'unreachable' } as const);
  switch (answer.kind) {
    case 'unreachable': {
      const ageMs = ports.clock.now() - trade.createdAt.getTime();
      return ageMs < maxPlacedAgeMs ? 'wait' : { refusal: { code: 'EXCHANGE_UNAVAILABLE', maxAgeMs: maxPlacedAgeMs } };
    }
    case 'unknown-ticker':
      return { refusal: { code: 'UNKNOWN_TICKER', stockTicker } };
    case 'no-quote':
      return { refusal: { code: 'NO_QUOTE', stockTicker } };
    case 'quote':
      if (answer.quote.halted) return { refusal: { code: 'HALTED', stockTicker } };
      return { limitPrice: collar(trade.type, answer.quote) };
  }
}
