import { parentPort } from 'node:worker_threads';
import { simulate } from './simulate.ts';

/** Runs the seeds that it is sent, in a thread of its own, and answers with what they came to. */
export interface SeedRange {
  from: number;
  count: number;
}

export interface RangeResult {
  seeds: number;
  steps: number;
  trades: number;
  filled: number;
  longestDrainMs: number;
  /** The first seed that failed, if one did; the seeds after it were not run. */
  failed: { seed: number; violation: string } | undefined;
}

parentPort?.on('message', (range: SeedRange) => {
  void runRange(range).then((result) => parentPort?.postMessage(result));
});

async function runRange({ from, count }: SeedRange): Promise<RangeResult> {
  const sum: RangeResult = { seeds: 0, steps: 0, trades: 0, filled: 0, longestDrainMs: 0, failed: undefined };
  for (let seed = from; seed < from + count && sum.failed === undefined; seed += 1) {
    const { violation, steps, trades, filled, drainMs } = await simulate(seed);
    sum.seeds += 1;
    sum.steps += steps;
    sum.trades += trades;
    sum.filled += filled;
    sum.longestDrainMs = Math.max(sum.longestDrainMs, drainMs);
    if (violation !== undefined) sum.failed = { seed, violation };
  }
  return sum;
}
