import { setTimeout as delay } from 'node:timers/promises';
import { RpcError, Status } from '@stockbroker/rpc';

/** The server has not done it, or it is not known whether it has: safe to repeat with the same client order id. */
const RETRYABLE: readonly Status[] = [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.RESOURCE_EXHAUSTED];
const MAX_WAIT_MS = 2_000;

export interface RetryOptions {
  /** By performance.now(); the last error is thrown when the next attempt would begin later. */
  giveUpAt: number;
  onRetry?: (error: RpcError, waitMs: number) => void;
}

export function isRetryable(error: unknown): error is RpcError {
  return error instanceof RpcError && RETRYABLE.includes(error.code);
}

/** The error's words without the client library's own around them. */
export function plain({ message }: Error): string {
  return /Last error: (?:Error: )?(.+?)\. Resolution note/.exec(message)?.[1] ?? message;
}

/** Repeats a call while it fails in a way that may pass: after the wait the server asks for, or else a growing one. */
export async function retrying<T>(call: () => Promise<T>, { giveUpAt, onRetry }: RetryOptions): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      // The server's wait is the same for everyone who was refused at that moment: some more, at random, spreads them.
      const wanted = error.details.retryAfterMs ?? Math.min(MAX_WAIT_MS, 100 * 2 ** attempt);
      const waitMs = Math.round(wanted * (1 + Math.random() / 4));
      if (performance.now() + waitMs > giveUpAt) throw error;
      onRetry?.(error, waitMs);
      await delay(waitMs);
    }
  }
}
