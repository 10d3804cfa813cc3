import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { BenchCustomer, Trading } from './trading.ts';

/** Whose turn it is. */
export type NextCustomer = () => BenchCustomer;

/** Calls back until it is told to stop. */
export interface Loop {
  /** Resolves when nothing is placed any more and every trade has ended. */
  stop(): Promise<void>;
}

/** So many trades are open at any time: where one ends, the next is placed. The backlog cannot grow, whatever the broker takes. */
export function closedLoop(trading: Trading, concurrency: number, next: NextCustomer): Loop {
  let isOver = false;
  const slot = async () => {
    while (!isOver) await trading.trade(next(), performance.now());
  };
  const slots = Promise.all(Array.from({ length: concurrency }, slot));
  return {
    stop: async () => {
      isOver = true;
      await slots;
    },
  };
}

/** Node's timers are late by up to a millisecond, which would be the generator's and count as the broker's. */
const TIMER_MS = 2;
/** With more trades a second, times are whole milliseconds, and the timer is enough. */
const EXACT_UP_TO = 200;

/**
 * Trades placed at fixed times, whether the earlier ones have been answered or not, and counted from those times: what waits
 * because the broker is slow is not left out.
 */
export function openLoop(trading: Trading, perSecond: number, next: NextCustomer): Loop {
  let isOver = false;
  const open = new Set<Promise<void>>();
  const place = (intendedMs: number) => {
    const trade: Promise<void> = trading.trade(next(), intendedMs).finally(() => open.delete(trade));
    open.add(trade);
  };
  const run = async () => {
    const startMs = Math.ceil(performance.now());
    const intendedOf = (n: number) =>
      startMs + (perSecond > EXACT_UP_TO ? Math.floor((n * 1_000) / perSecond) : (n * 1_000) / perSecond);
    for (let n = 0; !isOver; n += 1) {
      const intendedMs = intendedOf(n);
      await until(intendedMs, perSecond <= EXACT_UP_TO);
      if (!isOver) place(intendedMs);
    }
  };
  const running = run();
  return {
    stop: async () => {
      isOver = true;
      await running;
      while (open.size > 0) await Promise.all(open);
    },
  };
}

/** The last moments before an exact time are spent in turns of the event loop. */
async function until(timeMs: number, isExact: boolean): Promise<void> {
  for (let leftMs = timeMs - performance.now(); leftMs > 0; leftMs = timeMs - performance.now()) {
    if (!isExact) await delay(leftMs);
    else if (leftMs > TIMER_MS) await delay(leftMs - TIMER_MS);
    else await turn();
  }
}
