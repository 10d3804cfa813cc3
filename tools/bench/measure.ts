import { availableParallelism, cpus, totalmem } from 'node:os';
import type { BooksReport, PostgresServer } from '@stockbroker/testkit';
import { onThrowAwayPostgres } from '../throwAwayPostgres.ts';
import { baselineParts, baselineRun } from './baselineParts.ts';
import { type WebThroughput, webThroughput } from './baselines/webThroughput.ts';
import type { BenchBroker } from './benchBroker.ts';
import { type Goal, judge, judgeBell, PARTS } from './goals.ts';
import { measureGrowth } from './growth.ts';
import { type Isolation, measureIsolation } from './isolation/isolation.ts';
import { type Large, measureLarge } from './largeRuns.ts';
import { afterCheckpoint, onBenchBroker, type Sweep } from './onBroker.ts';
import { type OpeningBells, openingBells } from './openingBell/openingBells.ts';
import { type Plan, QUIET_RATE, type Session } from './plan.ts';
import { PROFILED_POSTGRES } from './profile/databaseWork.ts';
import type { Work } from './profile/profile.ts';
import { inWords, type Outcomes, type Part, runRounds } from './runs.ts';

export interface Result {
  machine: { processors: number; model: string; node: string; sharedBuffersMb: number };
  plan: Plan;
  /** One run each, by trades open at once. */
  sweep: Sweep[];
  /** What all processes of the broker use of all processors while nobody trades, from 0 to 1: the baselines run beside it. */
  idleBusy: number;
  outcomes: Outcomes;
  /** Of gateways' web port beside others; undefined without baselines. */
  web: WebThroughput | undefined;
  /** What all processes did at the best concurrency, in a window that counts for nothing else; undefined without profiles. */
  work: ProfiledWork | undefined;
  large: Large | undefined;
  isolation: Isolation | undefined;
  bell: OpeningBells | undefined;
  goals: Goal[];
  /** Of each broker that was started. */
  books: BooksReport[];
}

export type ProfiledWork = Work & { concurrency: number; trades: number };

interface Measurements {
  sweep: Sweep[];
  idleBusy: number;
  outcomes: Outcomes;
  web: WebThroughput | undefined;
  work: ProfiledWork | undefined;
}

/** Measures everything on a PostgreSQL of its own, with the durability that it has by default and memory for more than small tables. */
export async function measure(session: Session): Promise<Result> {
  const sharedBuffersMb = quarterOfMemory();
  const { folder: _folder, onEvent: _onEvent, isStopped, ...plan } = session;
  const all = async (postgres: PostgresServer): Promise<Result> => {
    const main = await onBenchBroker(session, { postgres, name: 'bench' }, (bench) => asItIs(session, postgres, bench));
    const best = fastest(main.measured.sweep);
    const growth = plan.growth && best !== undefined && !isStopped() ? await measureGrowth(session, postgres, best) : [];
    const size =
      plan.large !== undefined && best !== undefined && !isStopped()
        ? await measureLarge(session, postgres, { old: plan.large, best })
        : undefined;
    const isolation =
      plan.isolationTrades !== undefined && best !== undefined && !isStopped()
        ? await measureIsolation(session, postgres, { trades: plan.isolationTrades, best })
        : undefined;
    const proven = [...growth, ...(size?.proven ?? [])];
    const bell = plan.bellTrades !== undefined && !isStopped() ? await ringBell(session, postgres, plan.bellTrades) : undefined;
    const outcomes: Outcomes = Object.assign({}, main.measured.outcomes, ...proven.map(({ measured }) => measured));
    return {
      machine: { processors: availableParallelism(), model: cpus()[0]?.model ?? '', node: process.version, sharedBuffersMb },
      plan,
      sweep: main.measured.sweep,
      idleBusy: main.measured.idleBusy,
      outcomes,
      web: main.measured.web,
      work: main.measured.work,
      large: size?.large,
      isolation,
      bell,
      goals: [...judge(outcomes), ...(isolation?.goals ?? []), ...judgeBell(bell)],
      books: [main, ...proven].flatMap(({ books }) => books ?? []),
    };
  };
  const settings = { shared_buffers: `${sharedBuffersMb}MB`, ...(session.profiles === undefined ? {} : PROFILED_POSTGRES) };
  return onThrowAwayPostgres(session.folder, all, settings);
}

/** In MB: what PostgreSQL's manual gives a server to begin with, here at most 4 GB; containers count as machines of their own. */
function quarterOfMemory() {
  const bytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.max(128, Math.min(4096, Math.floor(bytes / 4 / 1024 ** 2)));
}

/** The broker at several concurrencies, then the best of them and its latencies beside the baselines. */
async function asItIs(session: Session, postgres: PostgresServer, bench: BenchBroker): Promise<Measurements> {
  const sweep = await tryConcurrencies(session, bench);
  const parts = [
    ...endToEndParts(session, bench, fastest(sweep)),
    ...(session.baselines ? baselineParts(session, { postgres, natsUrl: bench.broker.nats.url }) : []),
  ];
  const work = await profiled(session, bench, fastest(sweep));
  const idleBusy = await bench.idleBusy(session.seconds);
  const web = session.baselines
    ? await webThroughput(baselineRun(session, { postgres, natsUrl: bench.broker.nats.url }))
    : undefined;
  const outcomes = await runRounds(
    parts.map((part) => afterCheckpoint(part, bench)),
    session,
  );
  return { sweep, idleBusy, outcomes, web, work };
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

async function profiled(session: Session, bench: BenchBroker, best: Sweep | undefined): Promise<ProfiledWork | undefined> {
  if (session.profiles === undefined || best === undefined || session.isStopped()) return undefined;
  session.onEvent(`profiles, ${best.concurrency} open`);
  const { concurrency } = best;
  return { concurrency, ...(await bench.profile({ concurrency }, session, session.profiles)) };
}

async function ringBell(session: Session, postgres: PostgresServer, trades: number): Promise<OpeningBells> {
  session.onEvent('the opening bell');
  const tradesOfEach = 2;
  const options = { customers: Math.ceil(trades / tradesOfEach), tradesOfEach, workers: session.workers };
  return openingBells(baselineRun(session, { postgres, natsUrl: '' }), options);
}

function fastest(sweep: readonly Sweep[]): Sweep | undefined {
  return sweep.toSorted((a, b) => b.run.perSecond - a.run.perSecond)[0];
}
