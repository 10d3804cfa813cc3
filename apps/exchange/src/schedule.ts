/** Items handed over in one call; the rest of what is due follows in the next turn of the event loop. */
const MAX_BATCH = 1_000;

/**
 * Hands items over when their time has come, all that are due by then together, so that they share a transaction. One timer for each
 * millisecond that has items, not for each item.
 */
export class Schedule<T> {
  readonly #onDue: (items: T[]) => void;
  readonly #buckets = new Map<number, { items: T[]; timer: NodeJS.Timeout }>();
  #due: T[] = [];
  #handOverSoon: NodeJS.Immediate | undefined;
  #stopped = false;

  constructor(onDue: (items: T[]) => void) {
    this.#onDue = onDue;
  }

  add(item: T, delayMs: number): void {
    if (this.#stopped) return;
    const dueMs = Math.floor(performance.now()) + delayMs;
    const bucket = this.#buckets.get(dueMs);
    if (bucket === undefined) {
      this.#buckets.set(dueMs, { items: [item], timer: setTimeout(() => this.#fire(dueMs), delayMs) });
    } else {
      bucket.items.push(item);
    }
  }

  /** What is not due yet is forgotten. */
  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#buckets.values()) clearTimeout(timer);
    this.#buckets.clear();
    clearImmediate(this.#handOverSoon);
  }

  #fire(dueMs: number): void {
    for (const item of this.#buckets.get(dueMs)?.items ?? []) this.#due.push(item);
    this.#buckets.delete(dueMs);
    // Immediates run after all timers that are due.
    this.#handOverSoon ??= setImmediate(() => this.#handOver());
  }

  #handOver(): void {
    const items = this.#due.splice(0, MAX_BATCH);
    this.#handOverSoon = this.#due.length > 0 ? setImmediate(() => this.#handOver()) : undefined;
    this.#onDue(items);
  }
}
