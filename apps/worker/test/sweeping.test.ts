import type { MarketState } from '@stockbroker/trade-flow';
import { expect, test } from 'vitest';
import { startSweeping } from '../src/sweeping.ts';

test('worker: sweeps come regularly, and in the moment in which the market opens', async () => {
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
      if (swept.length === 5) enough.resolve();
    },
  };
  const sweeping = startSweeping(led, 2_000, { clock, hours: { at } }, () => {});
  await enough.promise;
  await sweeping.stop();
  expect(swept.slice(0, 5)).toEqual([2_000, 4_000, 5_300, 7_300, 9_300]);
});
