import type { MarketHours, MarketState } from '@stockbroker/trade-flow';
import type { Span } from './plan.ts';

/** The calendar: open but for the times of the plan. All instants in milliseconds since 1970. */
export class Sessions implements MarketHours {
  readonly #closed: Span[];

  constructor(closed: Span[], epochMs: number) {
    this.#closed = closed.map(({ fromMs, toMs }) => ({ fromMs: epochMs + fromMs, toMs: epochMs + toMs }));
  }

  at(nowMs: number): MarketState {
    const now = this.#closed.find(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs);
    if (now !== undefined) return { isOpen: false, untilMs: now.toMs };
    const sinceMs = this.#closed.findLast(({ toMs }) => toMs <= nowMs)?.toMs ?? -Infinity;
    return { isOpen: true, sinceMs, untilMs: this.#closed.find(({ fromMs }) => fromMs > nowMs)?.fromMs ?? Infinity };
  }

  /** Whether it is open at some time within `ms` before or after. */
  isOpenAbout(nowMs: number, ms: number): boolean {
    return !this.#closed.some(({ fromMs, toMs }) => fromMs <= nowMs - ms && nowMs + ms < toMs);
  }

  /** Whether one session ends and another begins between two instants. */
  closedBetween(fromMs: number, toMs: number): boolean {
    return this.#closed.some((span) => fromMs <= span.fromMs && span.toMs <= toMs);
  }
}
