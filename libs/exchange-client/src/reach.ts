/** Time in which the process did not run is not counted: it could not have seen the exchange. */
const MAX_STEP_MS = 2_000;
/** After so long without a further failure it is not known any more whether calls would fail. */
const FAILING_MS = 10_000;
const MAX_OUTAGES = 64;

interface Outage {
  fromMs: number;
  toMs: number;
}

/**
 * Whether the exchange is there, as this process has seen it: its quotes come, and its answers do. An outage begins when either stays
 * away, and ends with the first moment in which both are there. Times are of a monotonic clock.
 */
export class Reach {
  readonly #hearsQuotes: () => boolean;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs: number;
  /** Of the present outage, as far as it was looked at. */
  #awayMs = 0;
  /** Those that are over, oldest first. */
  readonly #outages: Outage[] = [];

  /** @param hearsQuotes whether the stream of quotes is live */
  constructor(nowMs: number, hearsQuotes: () => boolean) {
    this.#lookedAtMs = nowMs;
    this.#hearsQuotes = hearsQuotes;
  }

  /** An answer to a call. */
  answered(nowMs: number): void {
    this.#failedAtMs = Number.NEGATIVE_INFINITY;
    this.look(nowMs);
  }

  /** A call without one. */
  failed(nowMs: number): void {
    this.look(nowMs);
    this.#failedAtMs = nowMs;
  }

  /** To be called regularly, and at each quote. */
  look(nowMs: number): void {
    const isAway = !this.#hearsQuotes() || nowMs - this.#failedAtMs < FAILING_MS;
    if (isAway) {
      this.#awayMs += Math.min(nowMs - this.#lookedAtMs, MAX_STEP_MS);
    } else if (this.#awayMs > 0) {
      this.#remember({ fromMs: this.#lookedAtMs - this.#awayMs, toMs: nowMs });
      this.#awayMs = 0;
    }
    this.#lookedAtMs = nowMs;
  }

  /** For how long it has been away without a break; 0 while it is there. */
  awayForMs(nowMs: number): number {
    this.look(nowMs);
    return this.#awayMs;
  }

  /** How much of the last `periodMs` it was away. */
  awayWithinMs(nowMs: number, periodMs: number): number {
    const beganMs = nowMs - periodMs;
    const over = this.#outages.reduce((sum, { fromMs, toMs }) => sum + Math.max(0, toMs - Math.max(fromMs, beganMs)), 0);
    return Math.min(periodMs, over + Math.min(this.awayForMs(nowMs), periodMs));
  }

  /** When there are too many, the oldest two become one: too much then counts as the exchange's. */
  #remember(outage: Outage): void {
    this.#outages.push(outage);
    if (this.#outages.length <= MAX_OUTAGES) return;
    const [first, second] = this.#outages.splice(0, 2);
    if (first !== undefined && second !== undefined) this.#outages.unshift({ fromMs: first.fromMs, toMs: second.toMs });
  }
}
