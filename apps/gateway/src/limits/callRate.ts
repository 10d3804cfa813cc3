import { LRUCache } from 'lru-cache';

export interface CallRateOptions {
  /** Calls a second of each key in the long run; 0: no limit. */
  perSecond: number;
  /** Calls of each key at once, after a rest. */
  burst: number;
  /** The bucket of the key that has been silent for longest is forgotten for one more: it is full by then, or as good as new. */
  maxKeys: number;
  /** Never jumps. */
  nowMs: () => number;
}

/**
 * A token bucket for each key, kept as one number: when it will be full again. (The generic cell rate algorithm; nothing has to
 * be filled as time passes.)
 */
export class CallRate {
  readonly #perCallMs: number;
  readonly #fullMs: number;
  readonly #nowMs: () => number;
  readonly #fullAtMs: LRUCache<string, number>;

  constructor({ perSecond, burst, maxKeys, nowMs }: CallRateOptions) {
    this.#perCallMs = perSecond === 0 ? 0 : 1_000 / perSecond;
    this.#fullMs = burst * this.#perCallMs;
    this.#nowMs = nowMs;
    this.#fullAtMs = new LRUCache({ max: maxKeys });
  }

  /** Takes one call. @returns 0, or how long to wait for the next, when there is none; then nothing is taken */
  take(key: string): number {
    if (this.#perCallMs === 0) return 0;
    const nowMs = this.#nowMs();
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(key) ?? 0) + this.#perCallMs;
    // A little is forgiven to the rounding of sums.
    if (fullAtMs - nowMs > this.#fullMs + 1e-6) return Math.ceil(fullAtMs - nowMs - this.#fullMs);
    this.#fullAtMs.set(key, fullAtMs);
    return 0;
  }

  /** Gives back one call that was taken. */
  giveBack(key: string): void {
    const fullAtMs = this.#fullAtMs.get(key);
    if (fullAtMs !== undefined) this.#fullAtMs.set(key, fullAtMs - this.#perCallMs);
  }

  /** Takes as many calls as there are, up to `count`: what was done cost more than one. */
  charge(key: string, count: number): void {
    const nowMs = this.#nowMs();
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(key) ?? 0) + count * this.#perCallMs;
    this.#fullAtMs.set(key, Math.min(fullAtMs, nowMs + this.#fullMs));
  }
}
