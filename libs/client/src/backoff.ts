import { BrokerError, type Code, toBrokerError } from './brokerError.ts';

export interface Backoff {
  /** Longest wait after the first failure, milliseconds; it doubles with each further one, and the actual wait is random. */
  baseMs: number;
  maxMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 200, maxMs: 5_000 };
const LEAST_MS = 20;
/** Timers that are set for weeks end at once: a server that asks for more must not be asked again without a rest. */
const MOST_MS = 3_600_000;

/** Passing failures: the server has not done it, or it is not known whether it has. */
const PASSING: readonly Code[] = ['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'DEADLINE_EXCEEDED'];

/** How long to wait before the next attempt. What the server asks for counts, and some more at random: it asks all alike. */
export function waitMs(failures: number, error: unknown, { baseMs, maxMs }: Backoff): number {
  const asked = error instanceof BrokerError ? error.retryAfterMs : undefined;
  if (asked !== undefined) return Math.min(MOST_MS, Math.max(0, asked)) * (1 + Math.random() / 4);
  return Math.max(LEAST_MS, Math.random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 20)));
}

export interface RetryOptions {
  /** All attempts together, milliseconds. */
  timeoutMs: number;
  /** One attempt: a connection on which nothing comes is given up for another. */
  attemptTimeoutMs: number;
  backoff: Backoff;
  signal?: AbortSignal | undefined;
  onRetry?: ((error: BrokerError, waitMs: number) => void) | undefined;
}

/**
 * Repeats a call that is safe to repeat while it fails in a way that may pass.
 *
 * @throws BrokerError the last one, when there is no time for another attempt
 */
export async function retrying<T>(
  call: (options: { timeoutMs: number; signal?: AbortSignal }) => Promise<T>,
  { timeoutMs, attemptTimeoutMs, backoff, signal, onRetry }: RetryOptions,
): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  for (let failures = 0; ; failures += 1) {
    const leftMs = giveUpAt - performance.now();
    try {
      const options = { timeoutMs: Math.max(1, Math.ceil(Math.min(leftMs, attemptTimeoutMs))) };
      return await call(signal === undefined ? options : { ...options, signal });
    } catch (failure) {
      const error = toBrokerError(failure);
      if (!(error instanceof BrokerError) || !PASSING.includes(error.code)) throw error;
      const nextMs = waitMs(failures, error, backoff);
      if (performance.now() + nextMs >= giveUpAt) throw error;
      onRetry?.(error, nextMs);
      await wait(nextMs, signal);
    }
  }
}

/** @throws BrokerError CANCELLED */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancelled = () => {
      clearTimeout(timer);
      reject(new BrokerError('CANCELLED', 'cancelled by the caller'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', cancelled);
      resolve();
    }, ms);
    if (signal?.aborted === true) cancelled();
    else signal?.addEventListener('abort', cancelled, { once: true });
  });
}
