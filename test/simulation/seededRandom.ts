import type { Random } from '@stockbroker/trade-flow';

/** Random choices that are the same for the same seed: mulberry32. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not begin alike.
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ (seed >>> 16);
  }

  /** In [0, 1). */
  readonly number = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };

  readonly bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => this.between(0, 255));

  /** Both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.number() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.number() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** Mostly short, sometimes very long: as delays and outages are. */
  skewed(least: number, most: number): number {
    return least + Math.floor((most - least) * this.number() ** 4);
  }
}
