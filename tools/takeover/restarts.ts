import { setTimeout as delay } from 'node:timers/promises';
import { migrate } from '@stockbroker/store/migrate';
import { type AppProcess, type Broker, eventually, type PostgresServer, startBroker } from '@stockbroker/testkit';
import { bundleApps } from '../bundleApps.ts';
import { onThrowAwayPostgres } from '../throwAwayPostgres.ts';
import { Leaders } from './leaders.ts';

const PARTITIONS = 100;
const WORKERS = 3;
/** Often, because the figure is only as exact as this; nothing else goes on meanwhile. */
const LOOK_MS = 50;
const DEADLINE_MS = 60_000;

export interface RestartPlan {
  /** From the end of the last worker until the new ones are asked for, in ms. */
  gapsMs: readonly number[];
  /** kill -9 instead of SIGTERM. */
  kills: boolean;
  ttlMs: number;
  /** For data and logs. */
  folder: string;
  onEvent: (line: string) => void;
  isStopped: () => boolean;
}

export interface Restarted {
  gapMs: number;
  /** From asking for the new workers, the start of their processes included, until each partition is led by one of them. */
  ledAfterMs: number;
  /** Until each worker's process says that it has started: what a busy machine needs for it is no fault of the leases. */
  startedAfterMs: number;
}

/** Ends all workers of a throw-away system at once and starts new ones after each gap. */
export function measureRestarts(plan: RestartPlan): Promise<Restarted[]> {
  return onThrowAwayPostgres(plan.folder, (postgres) => onBroker(plan, postgres));
}

async function onBroker(plan: RestartPlan, postgres: PostgresServer): Promise<Restarted[]> {
  await migrate(postgres.url, PARTITIONS);
  const env = { worker: { DATABASE_POOL: '10', LEASE_TTL_MS: String(plan.ttlMs) } };
  const broker = await startBroker({ databaseUrl: postgres.url, bundles: await bundleApps(), workers: WORKERS, env });
  try {
    const leaders = new Leaders(broker, PARTITIONS);
    const restarted: Restarted[] = [];
    for (const gapMs of plan.gapsMs) {
      if (plan.isStopped()) break;
      await leaders.untilSettled();
      await Promise.all(broker.system.workers.map((worker) => end(worker, plan.kills)));
      await delay(gapMs);
      const took = await untilLed(broker);
      restarted.push({ gapMs, ...took });
      plan.onEvent(
        `gap ${gapMs} ms: started after ${took.startedAfterMs} ms, every partition is led after ${took.ledAfterMs} ms`,
      );
    }
    return restarted;
  } finally {
    await broker.close();
  }
}

async function end(worker: AppProcess, kills: boolean): Promise<void> {
  if (kills) return worker.kill();
  worker.signal('SIGTERM'); // `AppProcess.stop` would be for good.
  await eventually(
    () => worker.pid,
    (pid) => pid === undefined,
    { what: `the end of ${worker.name}` },
  );
}

/** Starts the workers, and looks until all partitions are led, or for DEADLINE_MS. */
async function untilLed({ db, system }: Broker): Promise<Omit<Restarted, 'gapMs'>> {
  const startedAtMs = performance.now();
  const since = new Date(); // The database is on this machine: one clock.
  const elapsedMs = () => Math.round(performance.now() - startedAtMs);
  const starting = Promise.all(system.workers.map((worker) => worker.start())).then(elapsedMs);
  starting.catch(() => {}); // Told below.
  while (elapsedMs() < DEADLINE_MS) {
    if ((await db.partitionLease.count({ where: { since: { gt: since } } })) === PARTITIONS) break;
    await delay(LOOK_MS);
  }
  const ledAfterMs = elapsedMs();
  return { ledAfterMs, startedAfterMs: await starting };
}
