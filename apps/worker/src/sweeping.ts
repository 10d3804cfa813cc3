import type { Clock } from '@stockbroker/trade-flow';

/** Sweeps regularly, one sweep at a time, until it is stopped. */
export function startSweeping(
  led: { sweep(): Promise<void> },
  everyMs: number,
  clock: Pick<Clock, 'sleep'>,
  onError: (error: unknown) => void,
): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const run = async () => {
    while (!stopped.signal.aborted) {
      await clock.sleep(everyMs, stopped.signal);
      await led.sweep().catch(onError);
    }
  };
  const finished = run();
  return {
    stop: async () => {
      stopped.abort();
      await finished;
    },
  };
}
