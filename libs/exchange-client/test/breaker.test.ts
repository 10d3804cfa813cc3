import { expect, test } from 'vitest';
import { Breaker } from '../src/breaker.ts';

/** Of full jitter, the longest wait. */
const MOST = 1 - Number.EPSILON;

/** For how many milliseconds nothing new is begun after a failure at 1,000. */
function pauseAfter(breaker: Breaker): number {
  breaker.failed(1_000, MOST);
  let pauseMs = 0;
  while (!breaker.isClosed(1_000 + pauseMs)) pauseMs += 1;
  return pauseMs;
}

test('breaker: each failure in a row pauses for longer, up to two seconds; one answer ends it at once', () => {
  const breaker = new Breaker();
  expect(breaker.isClosed(0)).toBe(true);
  expect(Array.from({ length: 7 }, () => pauseAfter(breaker))).toEqual([99, 199, 399, 799, 1_599, 1_999, 1_999]);
  breaker.failed(1_000, MOST);
  expect(breaker.isClosed(1_001)).toBe(false);
  breaker.succeeded();
  expect(breaker.isClosed(1_001)).toBe(true);
  expect(pauseAfter(breaker)).toBe(99);
});

test('breaker: workers that failed together do not come back together', () => {
  const pauses = [0, 0.25, 0.5, 0.75].map((random) => {
    const breaker = new Breaker();
    breaker.failed(0, 0);
    breaker.failed(0, random);
    return [0, 49, 99, 149, 199].filter((ms) => !breaker.isClosed(ms)).length;
  });
  expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
  expect(new Set(pauses).size).toBeGreaterThan(2);
});
