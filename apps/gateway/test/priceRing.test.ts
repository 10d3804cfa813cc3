import { expect, test } from 'vitest';
import { PriceRing } from '../src/priceRing.ts';

const seen = (seconds: number) => ({ quotedAt: new Date(seconds * 1_000), price: BigInt(seconds) });

test('prices: as many as there is room for, oldest first, without those that are too old', () => {
  const ring = new PriceRing(3);
  expect(ring.list(10_000)).toEqual([]);
  ring.put(seen(1));
  ring.put(seen(2));
  expect(ring.list(10_000)).toEqual([seen(1), seen(2)]);
  for (const seconds of [3, 4, 5]) ring.put(seen(seconds));
  expect(ring.list(10_000)).toEqual([seen(3), seen(4), seen(5)]);
  expect(ring.list(1_000)).toEqual([seen(4), seen(5)]);
});
