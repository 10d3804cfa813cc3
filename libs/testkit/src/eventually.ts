import { sleep } from '@stockbroker/runtime';
import { PATIENCE } from './patience.ts';

/** Soon at first, because most states come at once; then less often, because reading costs what the state waits for: a processor. */
const FIRST_MS = 10;
const GROWTH = 1.3;
const MAX_MS = 100;
/** For a busy machine; what is waited for usually takes milliseconds. */
const DEADLINE_MS = 45_000 * PATIENCE;

export interface Patience {
  /** For the error. */
  what?: string;
  deadlineMs?: number;
  /** How often it is read; by default every 10 ms at first, and every 100 ms after a third of a second. */
  everyMs?: number;
}

/**
 * Reads a state until it is as wanted, for states that nobody announces.
 *
 * @returns the value that was found good
 * @throws Error with the last value when the deadline passes
 */
export async function eventually<T>(
  read: () => T | Promise<T>,
  isGood: (value: T) => boolean,
  { what = 'the state', deadlineMs = DEADLINE_MS, everyMs }: Patience = {},
): Promise<T> {
  const giveUpAt = performance.now() + deadlineMs;
  for (let pauseMs = everyMs ?? FIRST_MS; ; pauseMs = everyMs ?? Math.min(MAX_MS, pauseMs * GROWTH)) {
    const value = await read();
    if (isGood(value)) return value;
    if (performance.now() > giveUpAt) {
      throw new Error(`${what} did not come within ${deadlineMs} ms; at last it was ${inspect(value)}`);
    }
    await sleep(pauseMs);
  }
}

function inspect(value: unknown): string {
  return String(JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? String(part) : part))).slice(0, 500);
}
