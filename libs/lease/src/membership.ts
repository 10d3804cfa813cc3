import { clusterOf } from '@stockbroker/trading';

/** Which workers are alive, as far as one of them has seen, and which partitions each should lead. */
export class Membership {
  readonly #seenAtMs = new Map<string, number>();
  readonly #clusters = new Map<number, string[]>();
  readonly #ttlMs: number;
  readonly #clusterSize: number;

  constructor(ttlMs: number, clusterSize: number) {
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
    if (!this.#seenAtMs.has(worker)) this.#clusters.clear();
    this.#seenAtMs.set(worker, nowMs);
  }

  left(worker: string): void {
    if (this.#seenAtMs.delete(worker)) this.#clusters.clear();
  }

  /** Forgets workers that have not been seen for a lease's time. */
  expire(nowMs: number): void {
    for (const [worker, seenAtMs] of this.#seenAtMs) {
      if (nowMs - seenAtMs > this.#ttlMs) this.left(worker);
    }
  }

  /** The partition's cluster, its first being the one that should lead. */
  cluster(partition: number): string[] {
    let cluster = this.#clusters.get(partition);
    if (cluster === undefined) {
      cluster = clusterOf(partition, this.workers, this.#clusterSize);
      this.#clusters.set(partition, cluster);
    }
    return cluster;
  }
}
