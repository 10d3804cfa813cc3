import type { LeaseChange, LeaseClock, LeaseStore } from '../src/index.ts';

interface Entry {
  holder: string;
  revision: number;
  writtenAtMs: number;
}

/** Leases in memory, by the same rules as the bucket of JetStream: the conformance suite holds one against the other. */
export class MemoryLeases {
  readonly #clock: LeaseClock;
  readonly #ttlMs: number;
  #entries = new Map<string, Entry>();
  #revision = 0;
  #watchers = new Set<(change: LeaseChange) => void>();

  constructor(clock: LeaseClock, ttlMs: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  /** Who holds a key now. */
  holder(key: string): string | undefined {
    return this.#live(key)?.holder;
  }

  /** The store as one client sees it. `reachable` false: every call fails, and the watch is silent. */
  connect(link: { reachable: boolean } = { reachable: true }): LeaseStore {
    const guard = <T>(call: () => T): Promise<T> =>
      link.reachable ? Promise.resolve().then(call) : Promise.reject(new Error('not reachable'));
    return {
      create: (key, holder) => guard(() => (this.#live(key) === undefined ? this.#write(key, holder) : 'taken')),
      update: (key, holder, revision) =>
        guard(() => (this.#live(key)?.revision === revision ? this.#write(key, holder) : 'lost')),
      put: (key, holder) =>
        guard(() => {
          this.#write(key, holder);
        }),
      delete: (key, revision) =>
        guard(() => {
          if (revision !== undefined && this.#live(key)?.revision !== revision) throw new Error('wrong revision');
          this.#entries.delete(key);
          this.#revision += 1;
          this.#tell({ key, revision: this.#revision, holder: null });
        }),
      watch: (signal) => this.#watch(link, signal),
    };
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#clock.monotonicMs() - entry.writtenAtMs <= this.#ttlMs ? entry : undefined;
  }

  #write(key: string, holder: string): number {
    this.#revision += 1;
    this.#entries.set(key, { holder, revision: this.#revision, writtenAtMs: this.#clock.monotonicMs() });
    this.#tell({ key, revision: this.#revision, holder });
    return this.#revision;
  }

  #tell(change: LeaseChange): void {
    for (const tell of this.#watchers) tell(change);
  }

  async *#watch(link: { reachable: boolean }, signal: AbortSignal): AsyncIterable<LeaseChange> {
    const queue: LeaseChange[] = [...this.#entries.keys()].flatMap((key) => {
      const entry = this.#live(key);
      return entry === undefined ? [] : [{ key, revision: entry.revision, holder: entry.holder }];
    });
    let wake = () => {};
    const tell = (change: LeaseChange) => {
      if (!link.reachable) return;
      queue.push(change);
      wake();
    };
    this.#watchers.add(tell);
    signal.addEventListener('abort', () => wake(), { once: true });
    try {
      while (!signal.aborted) {
        for (const change of queue.splice(0)) yield change;
        if (queue.length === 0 && !signal.aborted) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      this.#watchers.delete(tell);
    }
  }
}
