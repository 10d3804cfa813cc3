import type { CallContext } from '@stockbroker/rpc';
import { backoffMs, sleep } from '@stockbroker/runtime';
import { StoreUnavailableError } from '@stockbroker/trade-flow';

/** A fifth of the caller's time, at most this much, is kept for the answer to travel, also from a busy machine. */
const MAX_ANSWER_MS = 1_000;

/**
 * Repeats what the database could not do, e.g. while it restarts or fails over, until shortly before the caller stops waiting or for
 * `patienceMs`. Only for what may be done twice. A database that hangs is not waited for any longer either.
 *
 * @throws StoreUnavailableError when the time is over: nothing is known of what was asked for
 */
export async function withPatience<T>(
  { deadline, signal }: Pick<CallContext, 'deadline' | 'signal'>,
  patienceMs: number,
  run: () => Promise<T>,
): Promise<T> {
  const leftMs = deadline === undefined ? patienceMs : deadline.getTime() - Date.now();
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), Math.min(patienceMs, leftMs - Math.min(MAX_ANSWER_MS, leftMs / 5)));
  const over = new Promise<never>((_resolve, reject) => {
    giveUp.signal.addEventListener('abort', () => reject(new StoreUnavailableError(new Error('the call’s time is over'))));
  });
  try {
    return await Promise.race([over, repeat(run, AbortSignal.any([signal, giveUp.signal]))]);
  } finally {
    clearTimeout(timer);
  }
}

async function repeat<T>(run: () => Promise<T>, stopped: AbortSignal): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || stopped.aborted) throw error;
      await sleep(backoffMs(failures, Math.random(), { baseMs: 50, maxMs: 500 }), stopped);
      if (stopped.aborted) throw error;
    }
  }
}
