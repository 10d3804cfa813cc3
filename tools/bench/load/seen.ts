import { reasonOf } from '@stockbroker/runtime';
import { type Percentiles, percentiles } from '../../percentiles.ts';

/** What the load generator has seen in a window of time. */
export interface Seen {
  seconds: number;
  /** Trades that ended in it, whenever they were placed: they are durable. */
  ended: number;
  perSecond: number;
  /** Of the trades whose time to be placed was in it, also those that were answered or ended later: until placed, until ended. */
  placeMs: Percentiles;
  ms: Percentiles;
  /** Calls that failed and were repeated, by error. */
  repeated: Record<string, number>;
  /** Trades of whose end no message told. */
  untold: number;
}

/** To 10 µs: some goals are ratios of times of less than a millisecond. */
const DIGITS = 2;

/** Only counts while it is open; it reckons when it is asked. */
export class Window {
  readonly #openedMs = performance.now();
  readonly #placeMs: number[] = [];
  readonly #endMs: number[] = [];
  readonly #repeated: Record<string, number> = {};
  #closedMs: number | undefined;
  #ended = 0;
  untold = 0;

  /** No trade ends in it from now on. */
  close(): void {
    this.#closedMs ??= performance.now();
  }

  /** True once a trade has ended in it. */
  get hasEnds(): boolean {
    return this.#ended > 0;
  }

  placed(tookMs: number): void {
    this.#placeMs.push(tookMs);
  }

  ended(): void {
    this.#ended += 1;
  }

  endedAfter(tookMs: number): void {
    this.#endMs.push(tookMs);
  }

  repeats(error: unknown): void {
    const what = reasonOf(error).slice(0, 80);
    this.#repeated[what] = (this.#repeated[what] ?? 0) + 1;
  }

  seen(): Seen {
    const seconds = ((this.#closedMs ?? performance.now()) - this.#openedMs) / 1_000;
    return {
      seconds,
      ended: this.#ended,
      perSecond: this.#ended / seconds,
      placeMs: percentiles(this.#placeMs, DIGITS),
      ms: percentiles(this.#endMs, DIGITS),
      repeated: this.#repeated,
      untold: this.untold,
    };
  }
}
