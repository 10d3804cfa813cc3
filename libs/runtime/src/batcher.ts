import { Aside, type AsideOptions } from './aside.ts';

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
  /** How to go on when what one item needs is held by somebody else; by default that fails the whole batch. */
  aside?: AsideOptions<Item>;
  /** Puts off the start of a batch, by default to the end of the event loop's turn. */
  soon?: (start: () => void) => void;
  /** Milliseconds that never jump; by default the process's. */
  now?: () => number;
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
  heldUpAtMs?: number;
}

/** A call of `run` in flight for longer may be held up by one of its items: one more call than `concurrency` may start meanwhile. */
const SLOW_MS = 50;

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
  readonly #aside: Aside<Item, Entry<Item, Result>> | undefined;
  /** When each call of `run` in flight began. */
  readonly #running = new Set<{ sinceMs: number }>();
  readonly #now: () => number;
  #pumpScheduled = false;
  #idleWaiters: (() => void)[] = [];

  constructor(options: BatcherOptions<Item, Result>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    if (options.aside === undefined) return;
    const run = (entries: Entry<Item, Result>[]) => this.#settleBatch(this.#live(entries));
    this.#aside = new Aside(options.aside, options.maxBatch, run, (freed) => {
      this.#queue.unshift(...freed);
      this.#schedulePump();
    });
  }

  /** Items waiting, not counting those in flight; but all that were held up. */
  get queued(): number {
    return this.#queue.length + this.#waitingForKeys + (this.#aside?.size ?? 0);
  }

  get #isIdle(): boolean {
    return this.#running.size === 0 && this.queued === 0;
  }

  /** See Submit. Bound, so that it can be handed on as a plain function. */
  readonly submit: Submit<Item, Result> = (item, signal) =>
    new Promise<Result>((resolve, reject) => {
      if (this.queued >= this.#options.maxQueue) {
        reject(new OverloadedError(this.#options.name, 100));
        return;
      }
      this.#enqueue(this.#keyed({ item, signal, resolve, reject }));
      this.#schedulePump();
    });

  /** Resolves when nothing waits and nothing is in flight. */
  idle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Whatever its end, the next item with its key may run then. */
  #keyed(entry: Entry<Item, Result>): Entry<Item, Result> {
    if (this.#options.key === undefined) return entry;
    const { resolve, reject } = entry;
    return Object.assign(entry, {
      resolve: (result: Result) => {
        resolve(result);
        this.#releaseKey(entry);
      },
      reject: (error: unknown) => {
        reject(error);
        this.#releaseKey(entry);
      },
    });
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
      this.#schedulePump();
    }
  }

  #schedulePump(): void {
    if (this.#pumpScheduled || !this.#hasRoom()) return;
    this.#pumpScheduled = true;
    const { soon = setImmediate } = this.#options;
    soon(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** Without a timer: who comes while a call is slow finds it so. */
  #hasRoom(): boolean {
    const { concurrency } = this.#options;
    if (this.#running.size < concurrency) return true;
    if (this.#aside === undefined || this.#running.size > concurrency) return false;
    const [oldest] = this.#running;
    return oldest !== undefined && this.#now() - oldest.sinceMs > SLOW_MS;
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#hasRoom()) {
      const batch = this.#takeBatch();
      if (batch.length > 0) void this.#runBatch(batch);
    }
    if (this.#isIdle) for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #takeBatch(): Entry<Item, Result>[] {
    const taken = this.#live(this.#queue.splice(0, this.#options.maxBatch));
    return this.#aside === undefined ? taken : taken.filter((entry) => this.#aside?.take(entry) === false);
  }

  /** Those whose callers still want them. */
  #live(entries: Entry<Item, Result>[]): Entry<Item, Result>[] {
    const isWanted = ({ signal }: Entry<Item, Result>) => signal?.aborted !== true;
    for (const entry of entries) if (!isWanted(entry)) entry.reject(entry.signal?.reason);
    return entries.filter(isWanted);
  }

  async #runBatch(batch: Entry<Item, Result>[]): Promise<void> {
    const run = { sinceMs: this.#now() };
    this.#running.add(run);
    this.#options.onBatch?.(batch.length);
    const { heldUp, error } = await this.#settleBatch(batch);
    this.#running.delete(run);
    if (heldUp.length > 0) this.#aside?.divide(heldUp, error);
    this.#schedulePump();
  }

  /** Never rejects: each entry of the batch is resolved or rejected, but those that were held up. */
  async #settleBatch(batch: Entry<Item, Result>[]): Promise<{ heldUp: Entry<Item, Result>[]; error: unknown }> {
    if (batch.length === 0) return { heldUp: [], error: undefined };
    try {
      const results = await this.#options.run(batch.map((entry) => entry.item));
      if (results.length !== batch.length) {
        throw new Error(`${this.#options.name}: ${results.length} results for ${batch.length} items`);
      }
      batch.forEach((entry, i) => {
        entry.resolve(results[i] as Result);
      });
      return { heldUp: [], error: undefined };
    } catch (error) {
      if (this.#options.aside?.isHeldUp(error) === true) return { heldUp: batch, error };
      if (batch.length > 1 && this.#options.isItemError?.(error) === true) {
        const middle = Math.ceil(batch.length / 2);
        const first = await this.#settleBatch(batch.slice(0, middle));
        const second = await this.#settleBatch(batch.slice(middle));
        return { heldUp: [...first.heldUp, ...second.heldUp], error: first.error ?? second.error };
      }
      for (const entry of batch) entry.reject(error);
      return { heldUp: [], error: undefined };
    }
  }
}
