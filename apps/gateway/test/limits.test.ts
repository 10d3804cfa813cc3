import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CallRate } from '../src/limits/callRate.ts';
import { networkOf } from '../src/limits/networkOf.ts';
import { OpenStreams } from '../src/limits/openStreams.ts';

/** A rate with a clock that the test moves. */
function rateOf(perSecond: number, burst: number, maxKeys = 100) {
  const clock = { nowMs: 1_000_000.123 };
  return { clock, rate: new CallRate({ perSecond, burst, maxKeys, nowMs: () => clock.nowMs }) };
}

test('rate: a burst, then one at a time; a refused caller is told when to retry, and then succeeds', () => {
  const { clock, rate } = rateOf(10, 3);
  expect([1, 2, 3, 4, 5].map(() => rate.take('a'))).toEqual([0, 0, 0, 100, 100]);
  clock.nowMs += 99;
  expect(rate.take('a')).toBe(1);
  clock.nowMs += 1;
  expect([rate.take('a'), rate.take('a')]).toEqual([0, 100]);
});

test('rate: after a rest there is a burst again, and no more than that', () => {
  const { clock, rate } = rateOf(10, 3);
  for (let i = 0; i < 3; i += 1) rate.take('a');
  clock.nowMs += 3_600_000;
  expect([1, 2, 3, 4].map(() => rate.take('a'))).toEqual([0, 0, 0, 100]);
});

test('rate: keys do not take each other’s calls; 0 is no limit', () => {
  const { rate } = rateOf(1, 1);
  expect([rate.take('a'), rate.take('b'), rate.take('a')]).toEqual([0, 0, 1_000]);
  const { rate: unlimited } = rateOf(0, 1);
  expect(Array.from({ length: 1_000 }, () => unlimited.take('a')).every((waitMs) => waitMs === 0)).toBe(true);
});

test('rate: a charge takes what there is, and no more: who is charged endlessly waits for one call', () => {
  const { clock, rate } = rateOf(10, 20);
  rate.charge('a', 15);
  expect(Array.from({ length: 6 }, () => rate.take('a'))).toEqual([0, 0, 0, 0, 0, 100]);
  for (let i = 0; i < 100; i += 1) rate.charge('a', 9);
  expect(rate.take('a')).toBe(100);
  clock.nowMs += 100;
  expect(rate.take('a')).toBe(0);
});

test('rate: never more than the burst and what the time brings, whatever the pattern', () => {
  const steps = fc.array(fc.record({ afterMs: fc.nat({ max: 700 }), calls: fc.nat({ max: 12 }) }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 20 }), (pattern, perSecond, burst) => {
      const { clock, rate } = rateOf(perSecond, burst);
      const started = clock.nowMs;
      let taken = 0;
      for (const { afterMs, calls } of pattern) {
        clock.nowMs += afterMs;
        for (let i = 0; i < calls; i += 1) if (rate.take('a') === 0) taken += 1;
        expect(taken).toBeLessThanOrEqual(burst + ((clock.nowMs - started) * perSecond) / 1_000 + 1e-3);
      }
    }),
    { numRuns: 200 },
  );
});

test('rate: only so many keys are remembered, those that called last', () => {
  const { rate } = rateOf(1, 1, 10);
  for (let i = 0; i < 11; i += 1) rate.take(`k${i}`);
  expect([rate.take('k10'), rate.take('k1'), rate.take('k0')]).toEqual([1_000, 1_000, 0]);
});

test('streams: a key has so many at once, and again when one has ended; 0 is no limit', () => {
  const streams = new OpenStreams(2);
  expect([streams.open('a'), streams.open('a'), streams.open('a'), streams.open('b')]).toEqual([true, true, false, true]);
  streams.close('a');
  expect([streams.open('a'), streams.open('a')]).toEqual([true, false]);
  const unlimited = new OpenStreams(0);
  expect(Array.from({ length: 100 }, () => unlimited.open('a')).every(Boolean)).toBe(true);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
])('the network of %s is %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
