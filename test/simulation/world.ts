/** What happens when, in simulated time; between two events every promise that can go on has gone on. */
export class World {
  /** Milliseconds since the world began. */
  nowMs = 0;
  steps = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  at(atMs: number, run: () => void): void {
    this.#plan(atMs, run, false);
  }

  /** For what happens in servers and on wires alone, where no promise waits for it: a third of all, and quick. */
  quietlyAt(atMs: number, run: () => void): void {
    this.#plan(atMs, run, true);
  }

  #plan(atMs: number, run: () => void, isQuiet: boolean): void {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#order, run, isQuiet };
    this.#order += 1;
    this.#push(event);
  }

  after(ms: number, run: () => void): void {
    this.at(this.nowMs + ms, run);
  }

  /** Lets the next thing happen. @returns false when nothing will ever happen any more */
  async step(): Promise<boolean> {
    const event = this.#pop();
    if (event === undefined) return false;
    this.nowMs = event.atMs;
    this.steps += 1;
    event.run();
    if (!event.isQuiet) await everythingHasGoneOn();
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Event;
      if (isBefore(above, event)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (isBefore(last, heap[child] as Event)) break;
      heap[i] = heap[child] as Event;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

interface Event {
  atMs: number;
  /** Among events of one moment, the one planned first comes first. */
  order: number;
  run: () => void;
  isQuiet: boolean;
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Node empties the queue of promises before it comes to an immediate. */
function everythingHasGoneOn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
