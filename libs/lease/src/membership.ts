import { assignClusters } from '@stockbroker/trading';

/** Which workers are alive, as far as one of them has seen, and which partitions each should lead. */
export class Membership {
  /** When each is forgotten unless it is seen again. */
  readonly #endsAtMs = new Map<string, number>();
  /** Of each partition; undefined since a worker came or went. */
  #clusters: string[][] | undefined;
  readonly #partitions: number;
  readonly #clusterSize: number;

  constructor(partitions: number, clusterSize: number) {
    this.#partitions = partitions;
    this.#clusterSize = clusterSize;
  }

  get workers(): string[] {
    return [...this.#endsAtMs.keys()];
  }

  has(worker: string): boolean {
    return this.#endsAtMs.has(worker);
  }

  saw(worker: string, endsAtMs: number): void {
    if (!this.#endsAtMs.has(worker)) this.#clusters = undefined;
    this.#endsAtMs.set(worker, endsAtMs);
  }

  left(worker: string): void {
    if (this.#endsAtMs.delete(worker)) this.#clusters = undefined;
  }

  /** Forgets workers that have not been seen for their lifetime. */
  expire(nowMs: number): void {
    for (const [worker, endsAtMs] of this.#endsAtMs) {
      if (nowMs > endsAtMs) this.left(worker);
    }
  }

  /** The partition's cluster, its first being the one that should lead. */
  cluster(partition: number): string[] {
    this.#clusters ??= assignClusters(this.#partitions, this.workers, this.#clusterSize);
    return this.#clusters[partition] ?? [];
  }
}
