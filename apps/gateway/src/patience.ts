import type { CallContext } from '@stockbroker/rpc';
import { backoffMs, OverloadedError, sleep } from '@stockbroker/runtime';
import { StoreLockedError, StoreUnavailableError } from '@stockbroker/trade-flow';

/** A fifth of the caller's time, at most this much, is kept for the answer to travel, also from a busy machine. */
const MAX_ANSWER_MS = 1_000;

/**
 * Repeats what the database could not do, e.g. while it restarts or fails over, until shortly before the caller stops waiting or for
 * `patienceMs`. Only for what may be done twice. A database that hangs is not waited for any longer either.
 *
 * @throws StoreUnavailableError when the time is over: nothing is known of what was asked for. A StoreLockedError, when that is why
 */
export async function withPatience<T>(
  context: Pick<CallContext, 'deadline' | 'signal'>,
  patienceMs: number,
  run: () => Promise<T>,
): Promise<T> {
  const leftMs = context.deadline === undefined ? patienceMs : context.deadline.getTime() - Date.now();
  const waitMs = Math.min(patienceMs, leftMs - Math.min(MAX_ANSWER_MS, leftMs / 5));
  const giveUpAt = performance.now() + waitMs;
  const { promise: over, reject } = Promise.withResolvers<never>();
  let last: StoreUnavailableError | undefined;
  const timeIsOver = () =>
    last instanceof StoreLockedError ? last : new StoreUnavailableError(new Error('the call’s time is over'));
  const timer = setTimeout(() => reject(timeIsOver()), waitMs);
  const onFailure = (error: StoreUnavailableError) => {
    last = error;
  };
  try {
    return await Promise.race([over, repeat(context, giveUpAt, run, onFailure)]);
  } finally {
    clearTimeout(timer);
  }
}

/** The context's signal is asked for only when something fails: most calls never need one. */
async function repeat<T>(
  context: Pick<CallContext, 'signal'>,
  giveUpAt: number,
  run: () => Promise<T>,
  onFailure: (error: StoreUnavailableError) => void,
): Promise<T> {
  let inDoubt: StoreUnavailableError | undefined;
  const isOver = () => performance.now() >= giveUpAt || context.signal.aborted;
  for (let failures = 0; ; failures += 1) {
    try {
      return await run();
    } catch (error) {
      // Says that nothing was done, which is true of this repetition alone: the one before may have been.
      if (error instanceof OverloadedError && inDoubt !== undefined) throw inDoubt;
      if (!(error instanceof StoreUnavailableError) || isOver()) throw error;
      inDoubt = error;
      onFailure(error);
      await sleep(backoffMs(failures, Math.random(), { baseMs: 50, maxMs: 500 }), context.signal);
      if (isOver()) throw error;
    }
  }
}
