import type { OrderReport, Refusal, Trade } from '@stockbroker/trading';
import { CLOCK_TOLERANCE_MS } from './decide.ts';
import type { Decision, Exchange, KnownOrder, MarketHours } from './ports.ts';

/**
 * Rows may have been put back to before a trade was sent: by a restore, or by a failover that lost the last commits. Then a placed trade
 * may be at the exchange, and may have been filled there; deciding about it anew would reject it, or send it at another price. So a new
 * leadership asks for every trade that it finds, before it decides. What is placed later needs no asking: whatever puts rows back ends
 * the leadership (see markTradesExecuted's fence).
 *
 * Both times are of one database's clock, and a failover takes longer than two of them may differ.
 *
 * A trade that waits for the open cannot have been sent when there was no session between its placement and the leadership.
 */
export function mayHaveBeenSent(hours: MarketHours, trade: Trade, leadingSince: Date): boolean {
  const placedAtMs = trade.createdAt.getTime();
  if (placedAtMs > leadingSince.getTime()) return false;
  const market = hours.at(placedAtMs);
  return market.isOpen || market.untilMs <= leadingSince.getTime() + CLOCK_TOLERANCE_MS;
}

/**
 * Holds a decision until the exchange has been asked. @returns what to do: adopt what it has, or what was decided
 * @throws ExchangeInDoubtError
 */
export async function unlessKnown(exchange: Pick<Exchange, 'recallOrder'>, trade: Trade, decision: Decision): Promise<Decision> {
  const known = await exchange.recallOrder(trade.id);
  if (known === null || known.attempt < trade.attempt) return decision;
  return { adopt: { attempt: known.attempt, limitPrice: limitOf(known) } };
}

/** Without a limit from the exchange the price of the fill serves; else the least there is, so that the fill is told as dear. */
function limitOf({ limitPrice, found }: KnownOrder): bigint {
  if (limitPrice !== null) return limitPrice;
  return found !== 'open' && found.outcome.kind === 'filled' ? found.outcome.price : 1n;
}

/** The end of a trade of which there is no order at the exchange, for certain. */
export function neverAnOrder(trade: Trade, refusal: Refusal, nowMs: number): OrderReport {
  const { id: tradeId, stockTicker, type, quantity, attempt } = trade;
  return { tradeId, stockTicker, type, quantity, attempt, outcome: { kind: 'rejected', refusal, executedAt: new Date(nowMs) } };
}
