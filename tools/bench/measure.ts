import { availableParallelism, cpus } from 'node:os';
import type { BooksReport, PostgresServer } from '@stockbroker/testkit';
import { onThrowAwayPostgres } from '../throwAwayPostgres.ts';
import { baselineParts } from './baselineParts.ts';
import { BenchBroker, type Measured } from './benchBroker.ts';
import { type Goal, judge, PARTS } from './goals.ts';
import { type Plan, QUIET_RATE, type Session } from './plan.ts';
import { inWords, type Outcomes, type Part, runRounds } from './runs.ts';

export interface Result {
  machine: { processors: number; model: string; node: string };
  plan: Plan;
  /** One run each, by trades open at once. */
  sweep: Sweep[];
  /** What all processes of the broker use of all processors while nobody trades, from 0 to 1: the baselines run beside it. */
  idleBusy: number;
  outcomes: Outcomes;
  goals: Goal[];
  /** Of each broker that was started. */
  books: BooksReport[];
}

interface Sweep {
  concurrency: number;
  run: Measured;
}

const WARM_UP_CONCURRENCY = 256;

/** Measures everything on a PostgreSQL of its own, with the durability that it has by default. */
export function measure(session: Session): Promise<Result> {
  return onThrowAwayPostgres(session.folder, async (postgres) => {
    const bench = await BenchBroker.start({ ...session, postgres, name: 'bench' });
    try {
      return await onBroker(session, postgres, bench);
    } finally {
      await bench.close();
    }
  });
}

async function onBroker(session: Session, postgres: PostgresServer, bench: BenchBroker): Promise<Result> {
  const { folder: _folder, onEvent, isStopped, ...plan } = session;
  onEvent(`${plan.customers} customers, ${plan.workers} workers`);
  // Not counted: the processes are new, and each token is verified when it is first seen.
  await bench.run({ concurrency: WARM_UP_CONCURRENCY }, { warmUpSeconds: 0, seconds: plan.seconds });
  const sweep = await tryConcurrencies(session, bench);
  const best = sweep.toSorted((a, b) => b.run.perSecond - a.run.perSecond)[0];
  const parts = [
    ...endToEndParts(session, bench, best),
    ...(plan.baselines ? baselineParts({ ...session, postgres, natsUrl: bench.broker.nats.url }) : []),
  ];
  const idleBusy = await bench.idleBusy(plan.seconds);
  const outcomes = await runRounds(
    parts.map((part) => afterCheckpoint(part, bench)),
    session,
  );
  if (!isStopped()) onEvent('checking the books');
  return {
    machine: { processors: availableParallelism(), model: cpus()[0]?.model ?? '', node: process.version },
    plan,
    sweep,
    idleBusy,
    outcomes,
    goals: judge(outcomes),
    books: isStopped() ? [] : [await bench.books()],
  };
}

async function tryConcurrencies({ concurrencies, seconds, warmUpSeconds, onEvent, isStopped }: Session, bench: BenchBroker) {
  const sweep: Sweep[] = [];
  for (const concurrency of concurrencies) {
    if (isStopped()) break;
    const run = await bench.run({ concurrency }, { warmUpSeconds, seconds });
    sweep.push({ concurrency, run });
    onEvent(`${concurrency} open: ${inWords(run)}`);
  }
  return sweep;
}

function endToEndParts({ seconds, warmUpSeconds }: Session, bench: BenchBroker, best: Sweep | undefined): Part[] {
  if (best === undefined) return [];
  const half = Math.max(1, Math.round(best.run.perSecond / 2));
  const times = { warmUpSeconds, seconds };
  return [
    { name: PARTS.endToEnd, run: () => bench.run({ concurrency: best.concurrency }, times) },
    { name: PARTS.quiet, run: () => bench.run({ perSecond: QUIET_RATE }, times) },
    { name: PARTS.half, run: () => bench.run({ perSecond: half }, times) },
  ];
}

/** So that nobody's measurement writes what another one has left. */
function afterCheckpoint(part: Part, bench: BenchBroker): Part {
  const run = async () => {
    await bench.broker.db.$executeRawUnsafe('CHECKPOINT');
    return part.run();
  };
  return { name: part.name, run };
}
