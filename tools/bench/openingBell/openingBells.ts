import type { BaselineRun } from '../baselines/on.ts';
import { type OpeningBell, type OpeningBellOptions, openingBell } from './openingBell.ts';

export interface OpeningBells extends OpeningBell {
  /** The same once more, after the tables were analyzed while they were empty. */
  afterEmptyNight: { drainSeconds: number; perSecond: number; timesUsual: number };
}

/** An ordinary morning, and one after a night in which PostgreSQL noted that there are no open trades: it must make no difference. */
export async function openingBells(on: BaselineRun, options: OpeningBellOptions): Promise<OpeningBells> {
  const usual = await openingBell(on, options);
  on.onEvent('the opening bell, after a night in which its tables were analyzed empty');
  const { drainSeconds, perSecond } = await openingBell(on, { ...options, analyzedEmpty: true });
  return { ...usual, afterEmptyNight: { drainSeconds, perSecond, timesUsual: drainSeconds / usual.drainSeconds } };
}
