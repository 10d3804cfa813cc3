import type { LeaseChange, LeaseClock, LeaseStore } from '../src/index.ts';

interface Entry {
  /** Null for the mark that a key given up leaves. */
  holder: string | null;
  revision: number;
  writtenAtMs: number;
  /** When it is forgotten unless it is written again. No watch tells of it. */
  endsAtMs: number;
}

/**
 * Leases in memory, by the same rules as the bucket of JetStream: the conformance suite holds one against the other. A key that is
 * given up leaves a mark, which has a revision and a lifetime of its own.
 */
export class MemoryLeases {
  readonly #clock: LeaseClock;
  readonly #ttlMs: number;
  readonly #lateMs: () => number;
  /** Oldest first. */
  #entries = new Map<string, Entry>();
  #revision = 0;
  #watchers = new Set<(change: LeaseChange) => void>();

  /** @param lateMs how much later than after its lifetime a key is forgotten: nats-server takes up to a second */
  constructor(clock: LeaseClock, ttlMs: number, lateMs: () => number = () => 0) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#lateMs = lateMs;
  }

  /** Who holds a key now. */
  holder(key: string): string | undefined {
    return this.#live(key)?.holder ?? undefined;
  }

  create(key: string, holder: string): number | 'taken' {
    return (this.#live(key)?.holder ?? null) === null ? this.put(key, holder) : 'taken';
  }

  update(key: string, holder: string, revision: number): number | 'lost' {
    return this.#live(key)?.revision === revision ? this.put(key, holder) : 'lost';
  }

  put(key: string, holder: string): number {
    return this.#write(key, holder);
  }

  delete(key: string, revision?: number): void {
    if (revision !== undefined && this.#live(key)?.revision !== revision) throw new Error('wrong revision');
    this.#write(key, null);
  }

  #write(key: string, holder: string | null): number {
    this.#revision += 1;
    const writtenAtMs = this.#clock.monotonicMs();
    const endsAtMs = writtenAtMs + this.#ttlMs + this.#lateMs();
    this.#entries.delete(key);
    this.#entries.set(key, { holder, revision: this.#revision, writtenAtMs, endsAtMs });
    this.#tell({ key, revision: this.#revision, holder, ageMs: 0 });
    return this.#revision;
  }

  /** The store as one client sees it. `reachable` false: every call fails, and the watch is silent. */
  connect(link: { reachable: boolean } = { reachable: true }): LeaseStore {
    const guard = <T>(call: () => T): Promise<T> =>
      link.reachable ? Promise.resolve().then(call) : Promise.reject(new Error('not reachable'));
    return {
      create: (key, holder) => guard(() => this.create(key, holder)),
      update: (key, holder, revision) => guard(() => this.update(key, holder, revision)),
      put: (key, holder) => guard(() => this.put(key, holder)),
      delete: (key, revision) => guard(() => this.delete(key, revision)),
      watch: (signal) =>
        changesFrom((tell) => {
          const { current, stop } = this.listen((change) => link.reachable && tell(change));
          for (const change of current) tell(change);
          return stop;
        }, signal),
    };
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#clock.monotonicMs() <= entry.endsAtMs ? entry : undefined;
  }

  #tell(change: LeaseChange): void {
    for (const tell of this.#watchers) tell(change);
  }

  /** Tells of every change from now on. @returns what there is now, and how to stop */
  listen(tell: (change: LeaseChange) => void): { current: LeaseChange[]; stop: () => void } {
    const live = [...this.#entries].filter(([key]) => this.#live(key) !== undefined);
    const newestMs = live.at(-1)?.[1].writtenAtMs ?? 0;
    const current = live.map(([key, { revision, holder, writtenAtMs }]) => ({
      key,
      revision,
      holder,
      ageMs: newestMs - writtenAtMs,
    }));
    this.#watchers.add(tell);
    return { current, stop: () => this.#watchers.delete(tell) };
  }

  /** Everything is lost, and whoever watches hears nothing any more; revisions begin anew, as they do in a new bucket. */
  wipe(): void {
    this.#entries.clear();
    this.#watchers.clear();
    this.#revision = 0;
  }
}

/** What `listen` tells of, one change after the other, until the signal aborts. @param listen returns how to stop */
export async function* changesFrom(
  listen: (tell: (change: LeaseChange) => void) => () => void,
  signal: AbortSignal,
): AsyncIterable<LeaseChange> {
  let wake = () => {};
  const queue: LeaseChange[] = [];
  const stop = listen((change) => {
    queue.push(change);
    wake();
  });
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
    stop();
  }
}
