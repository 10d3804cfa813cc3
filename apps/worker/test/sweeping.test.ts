import type { MarketState } from '@stockbroker/trade-flow';
import { expect, test } from 'vitest';
import { startSweeping } from '../src/sweeping.ts';

/** When the first sweeps begin of a worker whose market opens at 5,300. @param lastsMs how long each one takes */
async function sweepsOf(lastsMs: number, count: number): Promise<number[]> {
  const opensMs = 5_300;
  const at = (ms: number): MarketState =>
    ms < opensMs ? { isOpen: false, untilMs: opensMs } : { isOpen: true, sinceMs: opensMs, untilMs: Infinity };
  let nowMs = 0;
  const swept: number[] = [];
  const enough = Promise.withResolvers<void>();
  const clock = {
    now: () => nowMs,
    sleep: async (ms: number) => {
      nowMs += ms;
    },
  };
  const led = {
    sweep: async () => {
      swept.push(nowMs);
      nowMs += lastsMs;
      if (swept.length === count) enough.resolve();
    },
  };
  const sweeping = startSweeping(led, 2_000, { clock, hours: { at } }, () => {});
  await enough.promise;
  await sweeping.stop();
  return swept.slice(0, count);
}

test('worker: sweeps come regularly, and in the moment in which the market opens', async () => {
  expect(await sweepsOf(0, 5)).toEqual([2_000, 4_000, 5_300, 7_300, 9_300]);
});

test('worker: a market that opens during a sweep is swept again at once', async () => {
  expect(await sweepsOf(1_500, 4)).toEqual([2_000, 5_300, 8_800, 12_300]);
  expect(await sweepsOf(3_400, 3)).toEqual([2_000, 5_400, 10_800]);
});
