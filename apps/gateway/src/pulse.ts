/** A beat that many can wait for with one timer, which runs while somebody waits. */
export class Pulse {
  readonly #everyMs: number;
  #next: Promise<void> | undefined;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** Resolves at the next beat. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setTimeout(() => {
        this.#next = undefined;
        resolve();
      }, this.#everyMs);
    });
    return this.#next;
  }
}
