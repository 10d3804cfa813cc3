import { sleep } from './clock.ts';
import { reasonsOf } from './reasonOf.ts';

export interface Probe {
  /** Why the dependency is not usable, or undefined. */
  problem(): string | undefined;
  stop(): void;
}

/** Asks a dependency regularly whether it is there, so that readiness needs no call of its own. */
export function startProbe(ask: () => Promise<void>, everyMs = 1_000): Probe {
  const stopped = new AbortController();
  let problem: string | undefined = 'not asked yet';
  const run = async () => {
    while (!stopped.signal.aborted) {
      try {
        await ask();
        problem = undefined;
      } catch (error) {
        problem = reasonsOf(error);
      }
      await sleep(everyMs, stopped.signal);
    }
  };
  void run();
  return { problem: () => problem, stop: () => stopped.abort() };
}
