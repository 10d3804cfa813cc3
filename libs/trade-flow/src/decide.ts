import { collar, type Quote, sideOf, type Trade } from '@stockbroker/trading';
import type { Clock, Decision, Exchange, MarketHours, Waiting } from './ports.ts';

export interface DecidePorts {
  exchange: Exchange;
  hours: MarketHours;
  clock: Clock;
}

/** Outside the session, trades that wait for the open are passed over. */
export function waitingTrades({ hours, clock }: Pick<DecidePorts, 'hours' | 'clock'>): Waiting {
  return hours.at(clock.now()).isOpen ? 'counted' : 'passed';
}

/**
 * What to do with a placed trade, as far as the market is concerned; the customer's means are checked by the store's statement.
 * 'wait' while the exchange cannot be reached: the trade stays placed, until it is older than `maxPlacedAgeMs`; one that has waited for
 * the open is as old as the session.
 *
 * A trade that was placed outside the session, and did not ask to wait, is never sent, also when it is reached only in the next one:
 * its customer was told that it would not be.
 */
export async function decide(ports: DecidePorts, trade: Trade, maxPlacedAgeMs: number): Promise<Decision | 'wait'> {
  const { stockTicker, queueForOpen } = trade;
  const market = ports.hours.at(ports.clock.now());
  if (!market.isOpen) return queueForOpen ? 'wait' : { refusal: { code: 'MARKET_CLOSED', opensAtMs: market.untilMs } };
  const placedAtMs = trade.createdAt.getTime();
  if (!queueForOpen && placedAtMs < market.sinceMs) return { refusal: { code: 'MARKET_CLOSED' } };
  const answer = ports.exchange.isReachable()
    ? await ports.exchange.freshQuote(stockTicker, trade.type)
    : ({ kind: 'unreachable' } as const);
  switch (answer.kind) {
    case 'unreachable': {
      const ageMs = ports.clock.now() - Math.max(placedAtMs, market.sinceMs);
      return ageMs < maxPlacedAgeMs ? 'wait' : { refusal: { code: 'EXCHANGE_UNAVAILABLE', maxAgeMs: maxPlacedAgeMs } };
    }
    case 'unknown-ticker':
      return { refusal: { code: 'UNKNOWN_TICKER', stockTicker } };
    case 'no-quote':
      return { refusal: { code: 'NO_QUOTE', stockTicker } };
    case 'quote':
      return decideAt(trade, answer.quote);
  }
}

function decideAt({ stockTicker, type }: Trade, quote: Quote): Decision {
  if (quote.halted) return { refusal: { code: 'HALTED', stockTicker } };
  const price = sideOf(type, quote);
  return price === null ? { refusal: { code: 'NO_QUOTE', stockTicker } } : { limitPrice: collar(type, price) };
}
