import type { BooksReport } from '@stockbroker/testkit';
import { onThrowAwayPostgres } from '../throwAwayPostgres.ts';
import { BenchBroker, type Measured } from './benchBroker.ts';
import { type Plan, QUIET_RATE } from './plan.ts';

export interface Session extends Plan {
  folder: string;
  onEvent: (line: string) => void;
  isStopped: () => boolean;
}

export interface Result {
  /** One run each, by trades open at once. */
  closed: { concurrency: number; run: Measured }[];
  /** Of the runs above the one with the most trades a second. */
  bestConcurrency: number;
  endToEnd: Measured[];
  quiet: Measured[];
  half: { perSecond: number; runs: Measured[] };
  books: BooksReport;
}

/** Measures everything on a PostgreSQL of its own, with the durability that it has by default. */
export function measure(session: Session): Promise<Result> {
  return onThrowAwayPostgres(session.folder, async (postgres) => {
    const { folder, customers, workers, profiles, onEvent } = session;
    const bench = await BenchBroker.start({ postgres, folder, name: 'bench', customers, workers, profiles });
    try {
      onEvent(`a broker of ${workers} workers, ${customers} customers`);
      return await onBroker(session, bench);
    } finally {
      await bench.close();
    }
  });
}

async function onBroker(session: Session, bench: BenchBroker): Promise<Result> {
  const { concurrencies, seconds, warmUpSeconds, rounds, onEvent, isStopped } = session;
  const times = { warmUpSeconds, seconds };
  const result: Result = {
    closed: [],
    bestConcurrency: 0,
    endToEnd: [],
    quiet: [],
    half: { perSecond: 0, runs: [] },
    books: { trades: 0, byStatus: {}, rejectedByCode: {}, violations: [] },
  };
  // Not counted: the processes are new, and each token is verified when it is first seen.
  await bench.run({ concurrency: 256 }, { warmUpSeconds: 0, seconds });
  for (const concurrency of concurrencies) {
    if (isStopped()) break;
    const run = await bench.run({ concurrency }, times);
    result.closed.push({ concurrency, run });
    onEvent(`${concurrency} open: ${words(run)}`);
  }
  const best = result.closed.toSorted((a, b) => b.run.endedPerSecond - a.run.endedPerSecond)[0];
  result.bestConcurrency = best?.concurrency ?? 0;
  result.half.perSecond = Math.round((best?.run.endedPerSecond ?? 0) / 2);
  for (let round = 0; round < rounds && !isStopped(); round += 1) {
    result.endToEnd.push(await bench.run({ concurrency: result.bestConcurrency }, times));
    onEvent(`end to end: ${words(result.endToEnd.at(-1))}`);
    result.quiet.push(await bench.run({ perSecond: QUIET_RATE }, times));
    onEvent(`${QUIET_RATE} a second: ${words(result.quiet.at(-1))}`);
    result.half.runs.push(await bench.run({ perSecond: result.half.perSecond }, times));
    onEvent(`${result.half.perSecond} a second: ${words(result.half.runs.at(-1))}`);
  }
  result.books = await bench.books();
  return result;
}

function words(run: Measured | undefined): string {
  if (run === undefined) return 'nothing';
  const { endedPerSecond, placeMs, endMs, cpu, busy } = run;
  return (
    `${endedPerSecond.toFixed(0)} trades a second, placed p50 ${placeMs.p50} p99 ${placeMs.p99} ms, ` +
    `ended p50 ${endMs.p50} p99 ${endMs.p99} ms, ${cpu.all.toFixed(3)} s of processor a thousand, ${(busy * 100).toFixed(0)} % busy`
  );
}
