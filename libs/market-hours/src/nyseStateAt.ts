import type { MarketState } from '@stockbroker/trade-flow';
import { nyseDate, nyseSession } from './nyseSession.ts';

/** So many days in a row without a session were never seen: four months in 1914 apart. Then something is wrong with `closings`. */
const MAX_CLOSED_DAYS = 60;

/**
 * Whether the New York Stock Exchange is in its regular session at an instant, and until when.
 *
 * @param nowMs milliseconds since 1970
 * @param closings dates without a session beside the holidays, like 2025-01-09
 * @throws RangeError when the next two months have no session
 */
export function nyseStateAt(nowMs: number, closings: ReadonlySet<string> = new Set()): MarketState {
  const today = nyseDate(nowMs);
  for (let days = 0; days <= MAX_CLOSED_DAYS; days += 1) {
    const session = nyseSession(today.add({ days }), closings);
    if (session === null || nowMs >= session.closesMs) continue;
    return nowMs < session.opensMs
      ? { isOpen: false, untilMs: session.opensMs }
      : { isOpen: true, sinceMs: session.opensMs, untilMs: session.closesMs };
  }
  throw new RangeError(`no session of the New York Stock Exchange within ${MAX_CLOSED_DAYS} days of ${today}`);
}
