import { assignClusters } from '@stockbroker/trading';

/** Which workers are alive, as far as one of them has seen, and which partitions each should lead. */
export class Membership {
  readonly #seenAtMs = new Map<string, number>();
  /** Of each partition; undefined since a worker came or went. */
  #clusters: string[][] | undefined;
  readonly #partitions: number;
  readonly #ttlMs: number;
  readonly #clusterSize: number;

  constructor(partitions: number, ttlMs: number, clusterSize: number) {
    this.#partitions = partitions;
    this.#ttlMs = ttlMs;
    this.#clusterSize = clusterSize;
  }

  get workers(): string[] {
    return [...this.#seenAtMs.keys()];
  }

  has(worker: string): boolean {
    return this.#seenAtMs.has(worker);
  }

  saw(worker: string, nowMs: number): void {
    if (!this.#seenAtMs.has(worker)) this.#clusters = undefined;
    this.#seenAtMs.set(worker, nowMs);
  }

  left(worker: string): void {
    if (this.#seenAtMs.delete(worker)) this.#clusters = undefined;
  }

  /** Forgets workers that have not been seen for a lease's time. */
  expire(nowMs: number): void {
    for (const [worker, seenAtMs] of this.#seenAtMs) {
      if (nowMs - seenAtMs > this.#ttlMs) this.left(worker);
    }
  }

  /** The partition's cluster, its first being the one that should lead. */
  cluster(partition: number): string[] {
    this.#clusters ??= assignClusters(this.#partitions, this.workers, this.#clusterSize);
    return this.#clusters[partition] ?? [];
  }
}
