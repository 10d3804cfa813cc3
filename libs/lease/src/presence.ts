import { DRAINING, JOINING } from './keys.ts';
import type { LeaseClock } from './ports.ts';

/**
 * From hearing itself to counting, when there are others: a process that has just begun is still busy with itself, and the first
 * partitions handed over to it would wait until it is done.
 */
const SETTLE_MS = 300;

export interface PresenceOptions {
  workerId: string;
  renewMs: number;
  clock: LeaseClock;
  /** Whether there is no other worker: then nobody hands anything over, and nothing is waited for. */
  isAlone: () => boolean;
  /** Never rejects. @returns the revision that the store gave it, undefined when nothing is known */
  announce: (as: string) => Promise<number | undefined>;
}

/** The watch may lag behind by so many announcements. */
const REMEMBERED = 8;

/** What a worker tells the others of itself, and whether its own watch tells of it. */
export class Presence {
  readonly #options: PresenceOptions;
  #as = JOINING;
  #announcedMs = Number.NEGATIVE_INFINITY;
  #heardMs: number;
  /** Revisions of the last announcements, as the store has answered, and of the last one that the watch has told of. */
  #stored: number[] = [];
  #told: number | undefined;
  #settles = false;
  #left = false;
  #announcing: Promise<void> = Promise.resolve();

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#heardMs = options.clock.monotonicMs();
  }

  /** Announces when it is time to. */
  tick(nowMs: number): void {
    if (nowMs - this.#announcedMs >= this.#options.renewMs) void this.announce();
  }

  async announce(): Promise<void> {
    if (this.#left) return;
    this.#announcedMs = this.#options.clock.monotonicMs();
    const announcing = Promise.all([
      this.#announcing,
      this.#options.announce(this.#as).then((revision) => this.#wasStored(revision)),
    ]).then(() => {});
    this.#announcing = announcing;
    await announcing;
  }

  /** From now on the others take it for gone. */
  async drain(): Promise<void> {
    this.#as = DRAINING;
    await this.announce();
  }

  /** Announces nothing any more. Resolves when nothing is on its way either, which would bring it back to life after its deletion. */
  async leave(): Promise<void> {
    this.#left = true;
    await this.#announcing;
  }

  /**
   * The watch has told of an announcement. It counts when its revision is the one that the store has given it: a copy of the bucket that
   * has diverged, as nats-server's replicas may, goes on taking announcements under revisions of its own, and tells nothing of leases.
   */
  heard(revision: number, nowMs: number): void {
    this.#told = revision;
    if (this.#stored.includes(revision)) this.#sees(nowMs);
  }

  #wasStored(revision: number | undefined): void {
    if (revision === undefined) return;
    this.#stored = [...this.#stored.slice(1 - REMEMBERED), revision];
    if (revision === this.#told) this.#sees(this.#options.clock.monotonicMs());
  }

  /** Soon partitions may be handed over to this worker, which takes them at once. */
  #sees(nowMs: number): void {
    this.#heardMs = nowMs;
    if (this.#as === JOINING && !this.#settles) void this.#join();
  }

  /** True, once, when the announcements do not come back through the watch as stored: it is blind, and has to be begun anew. */
  isUnheard(nowMs: number): boolean {
    if (nowMs - this.#heardMs <= 2 * this.#options.renewMs) return false;
    this.#heardMs = nowMs;
    return true;
  }

  async #join(): Promise<void> {
    const { clock, isAlone, workerId } = this.#options;
    this.#settles = true;
    if (!isAlone()) await clock.sleep(SETTLE_MS);
    if (this.#as !== JOINING) return;
    this.#as = workerId;
    await this.announce();
  }
}
