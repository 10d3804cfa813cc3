/** The leases of other workers as one has seen them, and since when a partition has been without one. */
export class OtherLeases {
  readonly #ttlMs: number;
  readonly #seen = new Map<number, { holder: string; writtenAtMs: number; revision: number }>();
  readonly #vacantSinceMs = new Map<number, number>();
  /** Revisions of leases that have ended without being given up. */
  readonly #expired = new Map<number, number>();

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  has(partition: number): boolean {
    return this.#seen.has(partition);
  }

  saw(partition: number, holder: string, writtenAtMs: number, revision: number): void {
    this.#seen.set(partition, { holder, writtenAtMs, revision });
    this.#expired.delete(partition);
    this.#vacantSinceMs.delete(partition);
  }

  /** The lease was given up, or was ours and is not any more. */
  vacant(partition: number, nowMs: number): void {
    this.#seen.delete(partition);
    this.#vacantSinceMs.set(partition, nowMs);
  }

  /** Since now, when nothing was known of the partition. */
  vacantSinceMs(partition: number, nowMs: number): number {
    if (!this.#vacantSinceMs.has(partition)) this.vacant(partition, nowMs);
    return this.#vacantSinceMs.get(partition) ?? nowMs;
  }

  /** We have it now. */
  taken(partition: number): void {
    this.#vacantSinceMs.delete(partition);
  }

  /** Forgets leases whose lifetime is over. @returns who had held them */
  expire(nowMs: number): Set<string> {
    const gone = new Set<string>();
    for (const [partition, { holder, writtenAtMs, revision }] of this.#seen) {
      if (nowMs - writtenAtMs <= this.#ttlMs) continue;
      this.vacant(partition, nowMs);
      this.#expired.set(partition, revision);
      gone.add(holder);
    }
    return gone;
  }

  /** The last revision of a lease that has ended without being given up: told once. */
  takeExpired(partition: number): number | undefined {
    const revision = this.#expired.get(partition);
    this.#expired.delete(partition);
    return revision;
  }
}
