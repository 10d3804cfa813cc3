/** Chance that repeats: the same seed gives the same draws. */
export interface Dice {
  /** In [0, 1). */
  number(): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  /** @throws RangeError when there is nothing to pick from */
  pick<T>(items: readonly T[]): T;
  /** True in this share of cases. */
  happens(share: number): boolean;
}

export function seededDice(seed: number): Dice {
  const number = mulberry32(seed);
  const between = (least: number, most: number) => least + Math.floor(number() * (most - least + 1));
  return {
    number,
    between,
    pick: (items) => {
      if (items.length === 0) throw new RangeError('there is nothing to pick from');
      return items[between(0, items.length - 1)] as (typeof items)[number];
    },
    happens: (share) => number() < share,
  };
}

/** mulberry32: numbers in [0, 1) that look random. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
