/** The leases of other workers as one has seen them, and since when a partition has been without one. */
export class OtherLeases {
  readonly #seen = new Map<number, { holder: string; endsAtMs: number; revision: number }>();
  readonly #vacantSinceMs = new Map<number, number>();
  /** Revisions of leases that have ended without being given up, until something else is known of their keys. */
  readonly #expired = new Map<number, number>();

  has(partition: number): boolean {
    return this.#seen.has(partition);
  }

  saw(partition: number, holder: string, endsAtMs: number, revision: number): void {
    this.#seen.set(partition, { holder, endsAtMs, revision });
    this.#expired.delete(partition);
    this.#vacantSinceMs.delete(partition);
  }

  /** The lease was given up, or was ours and is not any more. */
  vacant(partition: number, nowMs: number): void {
    this.#seen.delete(partition);
    this.#expired.delete(partition);
    this.#vacantSinceMs.set(partition, nowMs);
  }

  /** Vacant, but its key may be there at this revision. */
  lapsed(partition: number, revision: number): void {
    this.#expired.set(partition, revision);
  }

  /** Since now, when nothing was known of the partition. */
  vacantSinceMs(partition: number, nowMs: number): number {
    if (!this.#vacantSinceMs.has(partition)) this.vacant(partition, nowMs);
    return this.#vacantSinceMs.get(partition) ?? nowMs;
  }

  /** Without a leader since before then, as far as we know. */
  vacantBefore(ms: number): number[] {
    return [...this.#vacantSinceMs].filter(([, sinceMs]) => sinceMs < ms).map(([partition]) => partition);
  }

  /** We have it now; what the watch told of meanwhile was before. */
  taken(partition: number): void {
    this.#seen.delete(partition);
    this.#expired.delete(partition);
    this.#vacantSinceMs.delete(partition);
  }

  /** Forgets leases whose lifetime is over. @returns who had held them */
  expire(nowMs: number): Set<string> {
    const gone = new Set<string>();
    for (const [partition, { holder, endsAtMs, revision }] of this.#seen) {
      if (nowMs <= endsAtMs) continue;
      this.vacant(partition, nowMs);
      this.#expired.set(partition, revision);
      gone.add(holder);
    }
    return gone;
  }

  /** The last revision of a lease that has ended without being given up. */
  expired(partition: number): number | undefined {
    return this.#expired.get(partition);
  }

  /** The store has refused that revision: nothing is known of the key any more. */
  forgetExpired(partition: number): void {
    this.#expired.delete(partition);
  }

  /** A watch begins anew and tells all that there is; in another bucket the revisions of this one mean other keys. */
  forgetRevisions(): void {
    this.#expired.clear();
  }
}
