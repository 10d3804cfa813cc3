import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/** Resolves after `ms`, or as soon as the signal aborts; it never rejects, so ask the signal what happened. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** The machine's clocks and timers, as the ports of the trade flow want them. */
export const systemClock = {
  /** Wall clock, milliseconds since 1970. */
  now: () => Date.now(),
  /** Milliseconds that never jump, for measuring and for leases. */
  monotonicMs: () => performance.now(),
  sleep,
};

/** The system is asked for many bytes at once; each is handed out once. */
const POOL_BYTES = 4_096;
let pool = randomBytes(POOL_BYTES);
let poolUsed = 0;

/** The machine's random numbers, as the ports of the trade flow want them. */
export const systemRandom = {
  /** A number in [0, 1). */
  number: () => Math.random(),
  /** Unpredictable bytes, for ids. */
  bytes: (count: number): Uint8Array => {
    if (poolUsed + count > pool.length) {
      pool = randomBytes(Math.max(POOL_BYTES, count));
      poolUsed = 0;
    }
    poolUsed += count;
    return pool.subarray(poolUsed - count, poolUsed);
  },
};
