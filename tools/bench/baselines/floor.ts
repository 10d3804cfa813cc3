import { setTimeout as delay } from 'node:timers/promises';
import { type Percentiles, percentiles } from '../../percentiles.ts';
import { type BaselineRun, repeatedly } from './on.ts';

/** How long one thing takes when nobody does anything else. */
export interface Floor {
  /** Milliseconds, one right after the other: processor and disk are at their fastest. */
  ms: Percentiles;
  /** The same at a few a second, as the broker's latencies are measured: between two of them everything sleeps. */
  quietMs: Percentiles;
}

const QUIET_PER_SECOND = 30;
const WARM_UP = 200;
/** To a microsecond: a floor is a part of a millisecond. */
const DIGITS = 3;

/** Half of the time for each of the two. */
export async function floorOf(on: BaselineRun, once: () => Promise<unknown>): Promise<Floor> {
  for (let i = 0; i < WARM_UP; i += 1) await once();
  const half = { seconds: on.seconds / 2, isStopped: on.isStopped };
  const ms: number[] = [];
  await repeatedly(half, async () => void ms.push(await timed(once)));
  const quietMs: number[] = [];
  await repeatedly(half, async () => {
    await delay(1_000 / QUIET_PER_SECOND);
    quietMs.push(await timed(once));
  });
  return { ms: percentiles(ms, DIGITS), quietMs: percentiles(quietMs, DIGITS) };
}

async function timed(once: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await once();
  return performance.now() - startedMs;
}
