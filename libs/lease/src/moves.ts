import type { LeaseClock } from './ports.ts';

/**
 * Until the next one is offered, once the last has been taken. Whoever takes partitions over has just begun, compiles its code while it
 * does, and gets them from all others at once: without a rest they wait for each other there.
 */
const REST_MS = 30;
/** The rests of a worker with many partitions are shorter: all of them together should not take longer. */
const ALL_RESTS_MS = 3_000;
/** The next move does not wait for longer than this until the last partition is taken. */
const TAKEN_MS = 100;
const LOOK_MS = 5;

/** Hands partitions over, one at a time, in the order in which it was asked to: those whose turn has not come are led meanwhile. */
export class Moves {
  readonly #clock: LeaseClock;
  readonly #isAlone: () => boolean;
  readonly #waiting: (() => void)[] = [];
  #busy = false;

  /** @param isAlone whether there is no other worker: then nobody takes anything, and nothing is waited for */
  constructor(clock: LeaseClock, isAlone: () => boolean) {
    this.#clock = clock;
    this.#isAlone = isAlone;
  }

  /**
   * @param handOver resolves when the lease is given up
   * @param isTaken whether another worker has the partition now
   * @returns resolves when the lease is given up
   */
  async run(handOver: () => Promise<void>, isTaken: () => boolean): Promise<void> {
    if (this.#busy) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#busy = true;
    try {
      await handOver();
    } finally {
      void this.#next(isTaken);
    }
  }

  async #next(isTaken: () => boolean): Promise<void> {
    const giveUpAtMs = this.#clock.monotonicMs() + TAKEN_MS;
    while (!isTaken() && !this.#isAlone() && this.#clock.monotonicMs() < giveUpAtMs) await this.#clock.sleep(LOOK_MS);
    if (!this.#isAlone()) await this.#clock.sleep(Math.min(REST_MS, ALL_RESTS_MS / (this.#waiting.length + 1)));
    const next = this.#waiting.shift();
    if (next === undefined) this.#busy = false;
    else next();
  }
}
