import type { Log, Metrics } from '@stockbroker/runtime';
import type { Queries } from './statement.ts';

/** FINRA rule 4590 allows business clocks to differ by 50 ms. */
const MAX_OFFSET_MS = 50;
const WARN_EVERY_MS = 60_000;

/**
 * How far the database's clock is ahead of this process's: what the broker stores is of the one, what it decides is of the other. The
 * database's answer is of some moment between question and answer; the middle is wrong by half of the round trip at most, so an offset
 * counts only as far as it is more than that.
 */
export class ClockOffset {
  readonly #log: Pick<Log, 'warn'>;
  readonly #clock: { now(): number; monotonicMs(): number };
  #offsetMs = 0;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(log: Pick<Log, 'warn'>, metrics: Metrics, clock: { now(): number; monotonicMs(): number }) {
    this.#log = log;
    this.#clock = clock;
    metrics.gauge('database_clock_offset_seconds', 'How far the database’s clock is ahead of this process’s, for certain', () => {
      return this.#offsetMs / 1_000;
    });
  }

  /** For certain, milliseconds; 0 while the two cannot be told apart. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  async measure(db: Queries): Promise<void> {
    const { now, monotonicMs } = this.#clock;
    const [askedAtMs, startedMs] = [now(), monotonicMs()];
    const [row] = await db.query<{
      ms: number;
    }>`/* readClock */ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms`;
    const halfMs = (monotonicMs() - startedMs) / 2;
    const apartMs = (row?.ms ?? askedAtMs) - (askedAtMs + halfMs);
    // Half a millisecond more: this process's clock tells whole ones.
    this.#offsetMs = Math.sign(apartMs) * Math.max(0, Math.abs(apartMs) - halfMs - 0.5);
    if (Math.abs(this.#offsetMs) <= MAX_OFFSET_MS || monotonicMs() - this.#warnedAtMs < WARN_EVERY_MS) return;
    this.#warnedAtMs = monotonicMs();
    this.#log.warn({ offsetMs: Math.round(this.#offsetMs) }, 'the database’s clock differs from this process’s');
  }
}
