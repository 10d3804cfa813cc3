import type { MarketHours, MarketState } from '@stockbroker/trade-flow';
import { nyseStateAt } from './nyseStateAt.ts';

export interface MarketHoursOptions {
  /** `always` open, for development; `closed` for ever, to stop trading; the sessions of the New York Stock Exchange. */
  kind: 'always' | 'closed' | 'nyse';
  /** Dates on which the exchange stays closed beside its holidays, like 2025-01-09. */
  closings: readonly string[];
}

/** When trades may be sent. Cheap to ask for each trade: the calendar is looked up twice a session. */
export function marketHours({ kind, closings }: MarketHoursOptions): MarketHours {
  switch (kind) {
    case 'always':
      return { at: () => ({ isOpen: true, sinceMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY }) };
    case 'closed':
      return { at: () => ({ isOpen: false, untilMs: Number.POSITIVE_INFINITY }) };
    case 'nyse':
      return remembering((nowMs) => nyseStateAt(nowMs, new Set(closings)));
  }
}

/** Those of now, and of when trades that have waited were placed. */
const REMEMBERED = 4;

/** A state holds from any instant at which it was found until its end; clocks may also be set back. */
function remembering(stateAt: (nowMs: number) => MarketState): MarketHours {
  const known: { fromMs: number; state: MarketState }[] = [];
  return {
    at: (nowMs) => {
      const found = known.find(({ fromMs, state }) => nowMs >= fromMs && nowMs < state.untilMs);
      if (found !== undefined) return found.state;
      const state = stateAt(nowMs);
      const same = known.find(({ state: { untilMs } }) => untilMs === state.untilMs);
      if (same !== undefined) same.fromMs = nowMs;
      else if (known.unshift({ fromMs: nowMs, state }) > REMEMBERED) known.pop();
      return state;
    },
  };
}
