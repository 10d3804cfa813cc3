import { expect, test } from 'vitest';
import { Reach } from '../src/reach.ts';

/** A clock and a stream of quotes as a test wants them, looked at every half second. */
function openReach() {
  let nowMs = 1_000;
  let hears = true;
  const reach = new Reach(nowMs, () => hears);
  return {
    reach,
    quotes: (live: boolean) => {
      hears = live;
      reach.look(nowMs);
    },
    passes: (ms: number) => {
      for (let left = ms; left > 0; left -= 500) {
        nowMs += Math.min(500, left);
        reach.look(nowMs);
      }
    },
    /** The process does not run. */
    sleeps: (ms: number) => {
      nowMs += ms;
    },
    fails: () => reach.failed(nowMs),
    answers: () => reach.answered(nowMs),
    awayMs: () => reach.awayForMs(nowMs),
    awayWithin: (ms: number) => reach.awayWithinMs(nowMs, ms),
  };
}

test('an outage is as long as it has lasted without a break', () => {
  const { quotes, passes, awayMs } = openReach();
  passes(10_000);
  expect(awayMs()).toBe(0);
  quotes(false);
  passes(59_000);
  expect(awayMs()).toBe(59_000);
  quotes(true);
  expect(awayMs()).toBe(0);
  quotes(false);
  passes(1_000);
  expect(awayMs()).toBe(1_000);
});

test('a process that has just started has seen no outage yet', () => {
  const { quotes, awayMs } = openReach();
  quotes(false);
  expect(awayMs()).toBe(0);
});

test('calls that fail are an outage until one is answered; or until none was made for a while', () => {
  const { fails, answers, passes, awayMs } = openReach();
  fails();
  passes(4_000);
  fails();
  passes(4_000);
  expect(awayMs()).toBe(8_000);
  answers();
  expect(awayMs()).toBe(0);
  fails();
  passes(60_000);
  expect(awayMs()).toBe(0);
});

test('silence that turns into failing calls is one outage', () => {
  const { quotes, fails, passes, awayMs } = openReach();
  quotes(false);
  passes(5_000);
  fails();
  quotes(true);
  passes(5_000);
  expect(awayMs()).toBe(10_000);
});

test('time in which the process did not run is no outage', () => {
  const { quotes, sleeps, awayMs } = openReach();
  quotes(false);
  sleeps(70_000);
  expect(awayMs()).toBeLessThanOrEqual(2_000);
});

test('how much of a time it was away counts each outage, and the present one', () => {
  const { quotes, passes, awayWithin } = openReach();
  for (const awayMs of [2_000, 3_000]) {
    quotes(false);
    passes(awayMs);
    quotes(true);
    passes(10_000);
  }
  quotes(false);
  passes(1_000);
  expect(awayWithin(60_000)).toBe(6_000);
  expect(awayWithin(12_000)).toBe(2_000);
  expect(awayWithin(500)).toBe(500);
});

test('however many outages there were, few are remembered, and none is forgotten', () => {
  const { quotes, passes, awayWithin } = openReach();
  for (let i = 0; i < 200; i += 1) {
    quotes(false);
    passes(500);
    quotes(true);
    passes(500);
  }
  expect(awayWithin(200_000)).toBeGreaterThanOrEqual(100_000);
});
