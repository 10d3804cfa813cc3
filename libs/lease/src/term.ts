import type { LeaseClock } from './ports.ts';

/** One term of leading one partition. */
export interface Term {
  partition: number;
  /** False from the moment in which another worker may have the lease. Checked by time, so also true to its word after a pause. */
  isTrusted(): boolean;
}

/** A term as the elector keeps it. */
export class Held implements Term {
  readonly partition: number;
  /** Of the lease's key as last written by us, or seen. */
  revision: number;
  attemptedAtMs: number;
  /** A renewal is on its way. */
  busy = false;
  /** Under way once it is there; resolves when the lease is given up. */
  handingOver: Promise<void> | undefined;
  readonly #clock: LeaseClock;
  readonly #lifetimeMs: number;
  #trustedUntilMs: number;

  constructor(partition: number, revision: number, clock: LeaseClock, lifetimeMs: number, attemptedAtMs: number) {
    this.partition = partition;
    this.revision = revision;
    this.attemptedAtMs = attemptedAtMs;
    this.#clock = clock;
    this.#lifetimeMs = lifetimeMs;
    this.#trustedUntilMs = attemptedAtMs + lifetimeMs;
  }

  isTrusted(): boolean {
    return this.#clock.monotonicMs() < this.#trustedUntilMs;
  }

  /** Trust counts from the attempt: the store cannot have begun the new lifetime before. */
  renewed(revision: number, attemptedAtMs: number): void {
    this.saw(revision);
    this.#trustedUntilMs = attemptedAtMs + this.#lifetimeMs;
  }

  /** The watch may tell of our own renewal before its answer comes. */
  saw(revision: number): void {
    this.revision = Math.max(this.revision, revision);
  }

  end(): void {
    this.#trustedUntilMs = Number.NEGATIVE_INFINITY;
  }
}
