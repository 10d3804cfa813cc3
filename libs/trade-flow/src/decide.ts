import { collar, holdFor, MAX_USD_E4, type Quote, sideOf, type Trade } from '@stockbroker/trading';
import type { Clock, Decision, Exchange, ExecutingStore, MarketHours, MarketState, Waiting } from './ports.ts';

export interface DecidePorts {
  store: Pick<ExecutingStore, 'readTurn'>;
  exchange: Pick<Exchange, 'isReachable' | 'awayForMs' | 'awayWithinMs' | 'freshQuote'>;
  hours: MarketHours;
  clock: Clock;
}

export interface DecideLimits {
  /** A trade that was never sent is rejected EXCHANGE_UNAVAILABLE once the exchange has been away for this long without a break. */
  maxOutageMs: number;
  /** A trade that waited longer than this for the broker, in the session, is rejected WAITED_TOO_LONG. */
  maxPlacedWaitMs: number;
}

/**
 * Times of the database are compared with this process's calendar. Clocks that differ by more than 50 ms are an alert
 * (docs/alerts/clock-offset.md); a trade must not be rejected for a second or two.
 */
export const CLOCK_TOLERANCE_MS = 2_000;

/**
 * A trade that waits for the open and is sent back in the session waits for the next one. But not where the exchange may only be a moment
 * later than this process's clock: within the first minute it is sent again soon; and so it is where the calendar knows no sessions.
 */
const OPENING_MS = 60_000;
const AGAIN_MS = 10_000;

/** Outside the session, trades that wait for the open are passed over; within it those that came back in it. */
export function waitingTrades({ hours, clock }: Pick<DecidePorts, 'hours' | 'clock'>): Waiting {
  const nowMs = clock.now();
  const market = hours.at(nowMs);
  if (!market.isOpen) return 'passed';
  const openingEndsMs = Number.isFinite(market.sinceMs) ? market.sinceMs + OPENING_MS : Number.POSITIVE_INFINITY;
  return { queuedBefore: new Date(Math.min(nowMs - AGAIN_MS, openingEndsMs)) };
}

/**
 * What to do with a placed trade, as far as the market is concerned; the customer's means are checked by the store's statement.
 * 'wait' while the exchange cannot be reached: the trade stays placed until the exchange has been away for `maxOutageMs` without a break,
 * within the session. However old the trade is: it may have waited for the customer's earlier ones.
 *
 * A trade that was placed outside the session, and did not ask to wait, is never sent, also when it is reached only in the next one:
 * its customer was told that it would not be.
 */
export async function decide(ports: DecidePorts, trade: Trade, limits: DecideLimits): Promise<Decision | 'wait'> {
  const { stockTicker, queueForOpen } = trade;
  const nowMs = ports.clock.now();
  const market = ports.hours.at(nowMs);
  if (!market.isOpen) return queueForOpen ? 'wait' : { refusal: { code: 'MARKET_CLOSED', opensAtMs: market.untilMs } };
  const placedAtMs = trade.createdAt.getTime();
  if (!queueForOpen && placedAtMs < market.sinceMs - CLOCK_TOLERANCE_MS) return { refusal: { code: 'MARKET_CLOSED' } };
  if (!ports.exchange.isReachable()) return whileAway(ports, market, limits);
  const waitedMs = await waitedFor(ports, trade, market, limits);
  if (waitedMs > limits.maxPlacedWaitMs)
    return { refusal: { code: 'WAITED_TOO_LONG', waitedMs, limitMs: limits.maxPlacedWaitMs } };
  const answer = await ports.exchange.freshQuote(stockTicker, trade.type);
  switch (answer.kind) {
    case 'unreachable':
      return whileAway(ports, market, limits);
    case 'unknown-ticker':
      return { refusal: { code: 'UNKNOWN_TICKER', stockTicker } };
    case 'no-quote':
      return { refusal: { code: 'NO_QUOTE', stockTicker } };
    case 'quote':
      return decideAt(trade, answer.quote);
  }
}

function decideAt(trade: Trade, quote: Quote): Decision {
  const { stockTicker } = trade;
  if (quote.halted) return { refusal: { code: 'HALTED', stockTicker } };
  const price = sideOf(trade.type, quote);
  const limitPrice = price === null ? 0n : collar(trade.type, price);
  // More than the database can count is no price.
  const isCountable = limitPrice > 0n && limitPrice <= MAX_USD_E4 && holdFor(trade, limitPrice) <= MAX_USD_E4;
  return isCountable ? { limitPrice } : { refusal: { code: 'NO_QUOTE', stockTicker } };
}

type Open = Extract<MarketState, { isOpen: true }>;

/** An outage that began before the open counts from the open: until then nothing was to be sent. */
function whileAway({ exchange, clock }: DecidePorts, market: Open, { maxOutageMs }: DecideLimits): Decision | 'wait' {
  const awayMs = Math.min(exchange.awayForMs(), clock.now() - market.sinceMs);
  return awayMs < maxOutageMs ? 'wait' : { refusal: { code: 'EXCHANGE_UNAVAILABLE', limitMs: maxOutageMs } };
}

/**
 * How long a trade has waited for the broker: since it is the customer's oldest, in this session; less the time in which the exchange was
 * away, as far as this process has seen it. The database is asked only where the trade is older than the limit: it may have waited for
 * the customer's earlier trades.
 */
async function waitedFor(ports: DecidePorts, trade: Trade, market: Open, limits: DecideLimits): Promise<number> {
  const nowMs = ports.clock.now();
  const startMs = Math.max((trade.submittedAt ?? trade.createdAt).getTime(), market.sinceMs);
  if (nowMs - startMs <= limits.maxPlacedWaitMs) return 0;
  const turn = await ports.store.readTurn(trade);
  const waitedMs = nowMs - Math.max(startMs, turn?.getTime() ?? Number.NEGATIVE_INFINITY);
  return waitedMs - ports.exchange.awayWithinMs(waitedMs);
}

/**
 * May an executed trade that the exchange does not have be sent? Only in the session in which it was marked, and while it is young: its
 * price and its customer's wish are of then.
 */
export function maySend({ hours, clock }: Pick<DecidePorts, 'hours' | 'clock'>, trade: Trade, maxResendAgeMs: number): boolean {
  const nowMs = clock.now();
  const market = hours.at(nowMs);
  const markedAtMs = trade.submittedAt?.getTime() ?? Number.NEGATIVE_INFINITY;
  return market.isOpen && isOfSession(hours, market, markedAtMs) && nowMs - markedAtMs <= maxResendAgeMs;
}

/** Also when the clock that wrote it was a little behind at the open. */
function isOfSession(hours: MarketHours, session: Open, atMs: number): boolean {
  const then = hours.at(atMs);
  return then.isOpen ? then.untilMs === session.untilMs : atMs >= session.sinceMs - CLOCK_TOLERANCE_MS;
}
