import type { PostgresServer } from '@stockbroker/testkit';
import { counted } from '../cli.ts';
import type { BenchBroker } from './benchBroker.ts';
import { PARTS } from './goals.ts';
import type { Load } from './load/main.ts';
import { afterCheckpoint, onBenchBroker, type Proven, type Sweep } from './onBroker.ts';
import type { Session } from './plan.ts';
import { type Outcomes, type Part, runRounds } from './runs.ts';

const STREAMS = 1_000;
const QUEUE = 5_000;
const LATENCIES_MS = [50, 2_000];
const WORKERS = [1, 2, 4];

/** How the broker does as work grows, each against the same broker as it is. */
export async function measureGrowth(session: Session, postgres: PostgresServer, best: Sweep): Promise<Proven<Outcomes>[]> {
  const { onEvent, isStopped } = session;
  onEvent('as work grows');
  const proven = [
    await onBenchBroker(session, { postgres, name: 'growth' }, (bench) => runRounds(growthParts(session, bench, best), session)),
  ];
  for (const workers of WORKERS) {
    if (isStopped()) break;
    const name = `end to end, ${counted(workers, 'worker')}`;
    const run = (bench: BenchBroker): Part => part(session, bench, name, { concurrency: best.concurrency });
    proven.push(
      await onBenchBroker({ ...session, workers }, { postgres, name: `workers-${workers}` }, (bench) =>
        runRounds([run(bench)], session),
      ),
    );
  }
  return proven;
}

function growthParts(session: Session, bench: BenchBroker, { concurrency, run: { perSecond } }: Sweep): Part[] {
  const asIs: Load = { concurrency };
  const quarter: Load = { perSecond: Math.max(1, Math.round(perSecond / 4)) };
  const watched = part(session, bench, `${STREAMS} WatchTrades streams open`, asIs);
  return [
    part(session, bench, 'customers in turns', asIs),
    part(session, bench, 'customers by Zipf’s law', { ...asIs, customers: 'zipf' }),
    { name: watched.name, run: () => bench.whileWatched(Math.min(STREAMS, session.customers - 1), watched.run) },
    ...LATENCIES_MS.map((latencyMs) => {
      // By Little's law: so many are at the exchange at any time, over those that are at the broker.
      const open = Math.min(session.customers - 1, concurrency + Math.ceil((perSecond * latencyMs) / 1_000));
      const slow = part(session, bench, `exchange of ${latencyMs} ms, ${open} open`, { concurrency: open });
      const behaviour = { latencyMinMs: latencyMs, latencyMaxMs: latencyMs };
      return { name: slow.name, run: () => bench.broker.exchange.whileBehaving(behaviour, slow.run) };
    }),
    part(session, bench, PARTS.others, quarter),
    part(session, bench, PARTS.othersBesideQueue, { ...quarter, queue: QUEUE }),
  ];
}

function part({ seconds, warmUpSeconds }: Session, bench: BenchBroker, name: string, load: Load): Part {
  return afterCheckpoint({ name, run: () => bench.run(load, { warmUpSeconds, seconds }) }, bench);
}
