import { sleep } from '@stockbroker/runtime';

const EVERY_MS = 10;
/** For a busy machine; what is waited for usually takes milliseconds. */
const DEADLINE_MS = 45_000;

export interface Patience {
  /** For the error. */
  what?: string;
  deadlineMs?: number;
  /** How often it is read. */
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
  { what = 'the state', deadlineMs = DEADLINE_MS, everyMs = EVERY_MS }: Patience = {},
): Promise<T> {
  const giveUpAt = performance.now() + deadlineMs;
  for (;;) {
    const value = await read();
    if (isGood(value)) return value;
    if (performance.now() > giveUpAt) {
      throw new Error(`${what} did not come within ${deadlineMs} ms; at last it was ${inspect(value)}`);
    }
    await sleep(everyMs);
  }
}

function inspect(value: unknown): string {
  return String(JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? String(part) : part))).slice(0, 500);
}
