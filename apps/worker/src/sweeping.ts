import type { Clock, MarketHours } from '@stockbroker/trade-flow';

/** Sweeps regularly, one sweep at a time, until it is stopped; and in the moment in which the market opens, when waiting trades are there. */
export function startSweeping(
  led: { sweep(): Promise<void> },
  everyMs: number,
  { clock, hours }: { clock: Clock; hours: MarketHours },
  onError: (error: unknown) => void,
): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const run = async () => {
    let wasOpen = hours.at(clock.now()).isOpen;
    while (!stopped.signal.aborted) {
      const nowMs = clock.now();
      const market = hours.at(nowMs);
      const untilOpenMs = market.isOpen ? everyMs : Math.max(1, market.untilMs - nowMs);
      // It may have opened during a sweep, which then has passed over those that waited.
      const hasOpened = market.isOpen && !wasOpen;
      await clock.sleep(hasOpened ? 0 : Math.min(everyMs, untilOpenMs), stopped.signal);
      wasOpen = hours.at(clock.now()).isOpen;
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
