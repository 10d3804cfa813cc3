/** Whoever has lanes to start. */
export interface Starter {
  /** Starts the next one. @returns when it has begun, or undefined when there is none to start now */
  startNext(): Promise<void> | undefined;
}

/**
 * How fast lanes start that nobody woke: at the open, and when partitions are taken over, a great many trades are there at once. So
 * many lanes begin at the same time, and each of the others as one of these has begun: has taken its first step, whatever came of it.
 * A database or an exchange that is slow is given less, by itself; and what waits in memory is a list of customers, not of trades.
 *
 * Fair: partitions take turns, and each one's customers come in the order of their oldest trades. Nobody waits for the end of anybody
 * else's trades.
 */
export class Pace {
  readonly #maxStarting: number;
  /** Those that may have something to start, in the order of their turns. */
  readonly #turns = new Set<Starter>();
  #starting = 0;

  constructor(maxStarting: number) {
    this.#maxStarting = maxStarting;
  }

  /** Gives it turns until it has nothing to start any more. */
  join(starter: Starter): void {
    this.#turns.add(starter);
    this.#fill();
  }

  #fill(): void {
    for (const starter of this.#turns) {
      if (this.#starting >= this.#maxStarting) return;
      this.#turns.delete(starter);
      const begun = starter.startNext();
      if (begun === undefined) continue;
      // At the end again: the loop comes to it when the others have had their turns.
      this.#turns.add(starter);
      this.#starting += 1;
      void begun.then(() => {
        this.#starting -= 1;
        this.#fill();
      });
    }
  }
}
