import type { UsdE4 } from '@stockbroker/trading';

export interface SeenPrice {
  quotedAt: Date;
  /** The middle between bid and ask. */
  price: UsdE4;
}

/** The last prices of one stock, in 16 bytes each: as objects those of ten thousand stocks would take more than a gigabyte. */
export class PriceRing {
  readonly #quotedAtMs: Float64Array;
  readonly #prices: BigInt64Array;
  /** Ever put. */
  #count = 0;

  /** @param most older ones make room */
  constructor(most: number) {
    this.#quotedAtMs = new Float64Array(most);
    this.#prices = new BigInt64Array(most);
  }

  put({ quotedAt, price }: SeenPrice): void {
    const at = this.#count % this.#prices.length;
    this.#quotedAtMs[at] = quotedAt.getTime();
    this.#prices[at] = price;
    this.#count += 1;
  }

  /** Oldest first: those that are at most so much older than the newest. */
  list(keptMs: number): SeenPrice[] {
    const most = this.#prices.length;
    const first = Math.max(0, this.#count - most);
    const seen = Array.from({ length: this.#count - first }, (_, i) => {
      const at = (first + i) % most;
      return { quotedAt: new Date(this.#quotedAtMs[at] ?? 0), price: this.#prices[at] ?? 0n };
    });
    const oldestMs = (seen.at(-1)?.quotedAt.getTime() ?? 0) - keptMs;
    return seen.filter(({ quotedAt }) => quotedAt.getTime() >= oldestMs);
  }
}
