/** Thrown to the caller when a bounded queue is full. Nothing was done; try again after `retryAfterMs`. */
export class OverloadedError extends Error {
  readonly queue: string;
  readonly retryAfterMs: number;

  constructor(queue: string, retryAfterMs: number) {
    super(`${queue}: the queue is full, try again in ${retryAfterMs} ms`);
    this.name = 'OverloadedError';
    this.queue = queue;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface BatcherOptions<Item, Result> {
  /** For errors and metrics. */
  name: string;
  /** Does the work; answers one result per item, in order. */
  run: (items: Item[]) => Promise<Result[]>;
  /** Items in one call of `run`. */
  maxBatch: number;
  /** Calls of `run` in flight at once. One fills batches best; two keep the database busy during a commit's fsync. */
  concurrency: number;
  /** Items waiting; one more is refused with OverloadedError. */
  maxQueue: number;
  /** Items with equal keys never run at the same time, neither in one batch nor in two; they run in the order submitted. */
  key?: (item: Item) => string;
  /** True when one item is to blame for a failed batch: the batch is then run again in halves, until only that item fails. */
  isItemError?: (error: unknown) => boolean;
  /** Puts off the start of a batch, by default to the end of the event loop's turn. */
  soon?: (start: () => void) => void;
  /** Called after each batch, for metrics. */
  onBatch?: (size: number) => void;
}

/** Gives one item to a batch; resolves with that item's own result. An aborted signal withdraws an item that still waits. */
export type Submit<Item, Result> = (item: Item, signal?: AbortSignal) => Promise<Result>;

interface Entry<Item, Result> {
  item: Item;
  signal: AbortSignal | undefined;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Natural batching: while one batch is in flight, the next one fills. It starts when the event loop has looked at every socket, so what
 * came by all of them shares it. There are no timers, so an idle system answers at once and a busy one fills its batches.
 */
export class Batcher<Item, Result> {
  readonly #options: BatcherOptions<Item, Result>;
  readonly #queue: Entry<Item, Result>[] = [];
  /** Keys queued or running, each with the entries that wait for it. */
  readonly #keys = new Map<string, Entry<Item, Result>[]>();
  #waitingForKeys = 0;
  #running = 0;
  #pumpScheduled = false;
  #idleWaiters: (() => void)[] = [];

  constructor(options: BatcherOptions<Item, Result>) {
    this.#options = options;
  }

  /** Items waiting, not counting those in flight. */
  get queued(): number {
    return this.#queue.length + this.#waitingForKeys;
  }

  /** See Submit. Bound, so that it can be handed on as a plain function. */
  readonly submit: Submit<Item, Result> = (item, signal) =>
    new Promise<Result>((resolve, reject) => {
      if (this.queued >= this.#options.maxQueue) {
        reject(new OverloadedError(this.#options.name, 100));
        return;
      }
      this.#enqueue({ item, signal, resolve, reject });
      this.#schedulePump();
    });

  /** Resolves when nothing waits and nothing is in flight. */
  idle(): Promise<void> {
    if (this.#running === 0 && this.queued === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  #enqueue(entry: Entry<Item, Result>): void {
    const key = this.#options.key?.(entry.item);
    if (key === undefined) {
      this.#queue.push(entry);
      return;
    }
    const waiters = this.#keys.get(key);
    if (waiters === undefined) {
      this.#keys.set(key, []);
      this.#queue.push(entry);
    } else {
      waiters.push(entry);
      this.#waitingForKeys += 1;
    }
  }

  #releaseKey(entry: Entry<Item, Result>): void {
    const key = this.#options.key?.(entry.item);
    if (key === undefined) return;
    const next = this.#keys.get(key)?.shift();
    if (next === undefined) {
      this.#keys.delete(key);
    } else {
      this.#waitingForKeys -= 1;
      this.#queue.push(next);
    }
  }

  #schedulePump(): void {
    if (this.#pumpScheduled || this.#running >= this.#options.concurrency) return;
    this.#pumpScheduled = true;
    const { soon = setImmediate } = this.#options;
    soon(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#running < this.#options.concurrency) {
      const batch = this.#takeBatch();
      if (batch.length > 0) void this.#runBatch(batch);
    }
    if (this.#running === 0 && this.queued === 0) {
      for (const wake of this.#idleWaiters.splice(0)) wake();
    }
  }

  #takeBatch(): Entry<Item, Result>[] {
    const taken = this.#queue.splice(0, this.#options.maxBatch);
    const live: Entry<Item, Result>[] = [];
    for (const entry of taken) {
      if (entry.signal?.aborted === true) {
        entry.reject(entry.signal.reason);
        this.#releaseKey(entry);
      } else {
        live.push(entry);
      }
    }
    return live;
  }

  async #runBatch(batch: Entry<Item, Result>[]): Promise<void> {
    this.#running += 1;
    this.#options.onBatch?.(batch.length);
    await this.#settleBatch(batch);
    this.#running -= 1;
    for (const entry of batch) this.#releaseKey(entry);
    this.#schedulePump();
  }

  /** Never rejects: each entry of the batch is resolved or rejected. */
  async #settleBatch(batch: Entry<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#options.run(batch.map((entry) => entry.item));
      if (results.length !== batch.length) {
        throw new Error(`${this.#options.name}: ${results.length} results for ${batch.length} items`);
      }
      batch.forEach((entry, i) => {
        entry.resolve(results[i] as Result);
      });
    } catch (error) {
      if (batch.length > 1 && this.#options.isItemError?.(error) === true) {
        const middle = Math.ceil(batch.length / 2);
        await this.#settleBatch(batch.slice(0, middle));
        await this.#settleBatch(batch.slice(middle));
      } else {
        for (const entry of batch) entry.reject(error);
      }
    }
  }
}
