import { type Seen, Window } from './seen.ts';
import type { BenchCustomer, Trading } from './trading.ts';

/** One customer's trades that wait for each other. */
export interface Queued {
  trades: number;
  placedSeconds: number;
  /** Until the last has ended. */
  drainedSeconds: number;
  seen: Seen;
}

/** Calls of the customer at once: enough to place far faster than one trade after the other ends. */
const AT_ONCE = 8;

/** One customer places so many trades, whether or not the earlier ones have ended. Resolves when all have. */
export async function queueUp(trading: Trading, customer: BenchCustomer, trades: number): Promise<Queued> {
  const startedMs = performance.now();
  const secondsSoFar = () => (performance.now() - startedMs) / 1_000;
  const window = new Window();
  const ends: Promise<void>[] = [];
  const place = async () => {
    while (ends.length < trades) {
      const placed = Promise.withResolvers<void>();
      ends.push(trading.trade(customer, performance.now(), { window, onPlaced: placed.resolve }));
      await placed.promise;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, place));
  const placedSeconds = secondsSoFar();
  await Promise.all(ends);
  return { trades, placedSeconds, drainedSeconds: secondsSoFar(), seen: window.seen() };
}
