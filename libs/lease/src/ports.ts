import type { Term } from './term.ts';

/** Where leases are kept: keys that vanish unless they are renewed. Everything may fail; then nothing is known. */
export interface LeaseStore {
  /** Takes a key that nobody has. @returns its revision, or 'taken' */
  create(key: string, holder: string): Promise<number | 'taken'>;
  /** Renews a key of this revision. @returns its new revision, or 'lost' when the key has another */
  update(key: string, holder: string, revision: number): Promise<number | 'lost'>;
  /** Writes a key whatever it was. @returns its revision */
  put(key: string, holder: string): Promise<number>;
  /** Gives a key of this revision up, so that others see it at once. */
  delete(key: string, revision?: number): Promise<void>;
  /** Every key that exists, then every change, until the signal aborts or the store is lost (then it throws or returns). */
  watch(signal: AbortSignal): AsyncIterable<LeaseChange>;
}

export interface LeaseChange {
  key: string;
  revision: number;
  /** Null when the key was given up. */
  holder: string | null;
  /** How much older it is than the newest of what there was when the watch began; 0 for what has changed since. */
  ageMs: number;
}

export interface LeaseClock {
  /** Milliseconds that never jump. */
  monotonicMs(): number;
  /** Resolves after `ms`, or as soon as the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** What an elector tells the worker that it competes for. */
export interface ElectorEvents {
  /** The partition is ours to lead. */
  elected(term: Term): void;
  /** The lease is lost: stop, send nothing more. */
  lost(term: Term): void;
  /** The lease will be given up: finish what is in hand. The lease is kept until this resolves. */
  handOver(term: Term): Promise<void>;
  problem(message: string, error: unknown): void;
}

export interface WithoutLeader {
  partitions: number[];
  /** Why the last attempt to lead any partition has failed. */
  why: string;
}

export interface ElectorOptions {
  /** Unique among all workers, also among restarts of one. */
  workerId: string;
  partitions: number;
  /** Workers responsible for a partition: 3 or 5. */
  clusterSize: number;
  /** Lifetime of a lease that is not renewed; the store's keys must have the same. */
  ttlMs: number;
  /** How often a lease is renewed. */
  renewMs: number;
  /** A lease is not trusted for this long before it could end, for clocks that run at different speeds. */
  marginMs: number;
}
