/** A value that others may watch. */
export interface Observable<T> {
  readonly value: T;
  /** Tells the value at once and whenever it changes. @returns what ends that */
  subscribe(listener: (value: T) => void): () => void;
}

export class Observed<T> implements Observable<T> {
  #value: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (value === this.#value) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#value);
    return () => void this.#listeners.delete(listener);
  }
}
