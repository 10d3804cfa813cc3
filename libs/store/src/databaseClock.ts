import type { Log, Metrics } from '@stockbroker/runtime';

/** FINRA rule 4590 allows business clocks to differ by 50 ms. */
const MAX_OFFSET_MS = 50;
const WARN_EVERY_MS = 60_000;

/** This process's own clocks, in milliseconds. */
interface OwnClocks {
  now(): number;
  monotonicMs(): number;
}

/**
 * The database's time, as this process can tell it: what is stored is of that clock, so what is decided must be too, however wrong this
 * machine's wall clock is or becomes. Between two measurements it goes on with the monotonic clock, which never jumps.
 *
 * The database's answer is of some moment between question and answer; the middle is wrong by half of the round trip at most, so this
 * process's clock counts as right while it differs by no more than that.
 */
export class DatabaseClock {
  readonly #log: Pick<Log, 'warn'>;
  readonly #own: OwnClocks;
  #offsetMs = 0;
  /** What the time was at a moment of the monotonic clock, once it was measured. */
  #measured: { atMs: number; monotonicMs: number } | undefined;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(log: Pick<Log, 'warn'>, metrics: Metrics, own: OwnClocks) {
    this.#log = log;
    this.#own = own;
    metrics.gauge('database_clock_offset_seconds', 'How far the database’s clock is ahead of this process’s, for certain', () => {
      return this.#offsetMs / 1_000;
    });
  }

  /** Milliseconds since 1970; of this process's own clock until it was measured. */
  readonly now = (): number => Math.round(this.#atMs());

  /** For certain, milliseconds; 0 while the two cannot be told apart. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** @param read the database's time, milliseconds since 1970 */
  async measure(read: () => Promise<number>): Promise<void> {
    const [ownMs, knownMs, startedMs] = [this.#own.now(), this.#atMs(), this.#own.monotonicMs()];
    const readMs = await read();
    const tookMs = this.#own.monotonicMs() - startedMs;
    // Half a millisecond more: this process's clock tells whole ones.
    const certainly = (apartMs: number) => Math.sign(apartMs) * Math.max(0, Math.abs(apartMs) - tookMs / 2 - 0.5);
    this.#offsetMs = certainly(readMs - (ownMs + tookMs / 2));
    // An answer that took long does not move what it does not prove wrong.
    const wrongByMs = certainly(readMs - (knownMs + tookMs / 2));
    this.#measured = { atMs: knownMs + tookMs + wrongByMs, monotonicMs: startedMs + tookMs };
    this.#warn(startedMs + tookMs);
  }

  #atMs(): number {
    if (this.#measured === undefined) return this.#own.now();
    return this.#measured.atMs + this.#own.monotonicMs() - this.#measured.monotonicMs;
  }

  #warn(nowMs: number): void {
    if (Math.abs(this.#offsetMs) <= MAX_OFFSET_MS || nowMs - this.#warnedAtMs < WARN_EVERY_MS) return;
    this.#warnedAtMs = nowMs;
    this.#log.warn({ offsetMs: Math.round(this.#offsetMs) }, 'the database’s clock differs from this process’s');
  }
}
