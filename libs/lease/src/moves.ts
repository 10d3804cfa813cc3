import type { LeaseClock } from './ports.ts';

/**
 * Of one worker's partitions. To take one over is work, and of many at once each waits for all others; those whose turn has not come
 * are led meanwhile. With all 33 of a worker at once the usual pause was 88 to 170 ms, with four at a time about 50 ms.
 */
const AT_ONCE = 4;
/** The next move does not wait for longer than this until the last partition is taken. */
const TAKEN_MS = 100;
const LOOK_MS = 5;

/** Hands partitions over, a few at a time, in the order in which it was asked to. */
export class Moves {
  readonly #clock: LeaseClock;
  readonly #waiting: (() => void)[] = [];
  #free = AT_ONCE;

  constructor(clock: LeaseClock) {
    this.#clock = clock;
  }

  /**
   * @param handOver resolves when the lease is given up
   * @param isTaken whether another worker has the partition now, or there is none
   * @returns resolves when the lease is given up
   */
  async run(handOver: () => Promise<void>, isTaken: () => boolean): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      await handOver();
    } finally {
      void this.#next(isTaken);
    }
  }

  async #next(isTaken: () => boolean): Promise<void> {
    const giveUpAtMs = this.#clock.monotonicMs() + TAKEN_MS;
    while (!isTaken() && this.#clock.monotonicMs() < giveUpAtMs) await this.#clock.sleep(LOOK_MS);
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
