import { setTimeout as delay } from 'node:timers/promises';
import { migrate } from '@stockbroker/store/migrate';
import { type AppProcess, type Broker, eventually, type PostgresServer, startBroker } from '@stockbroker/testkit';
import { bundleApps } from '../bundleApps.ts';
import { onThrowAwayPostgres } from '../throwAwayPostgres.ts';
import { Leaders } from './leaders.ts';
import { Load } from './load.ts';
import { pausesSince } from './moves.ts';

const PARTITIONS = 100;
const WORKERS = 3;
/** Between two moves, as when new versions are rolled out: a worker that has just begun is still compiling its code. */
const REST_MS = 5_000;

export interface Measured {
  /** From each kill to the next order of each partition that the victim led, in ms. */
  takeoverMs: number[];
  /** Pauses of the partitions that moved when a worker joined or left in order, in ms. */
  pauseMs: number[];
  trades: number;
  violations: string[];
}

export interface Plan {
  kills: number;
  moves: number;
  /** Of leases; undefined: the workers' default. */
  ttlMs: number | undefined;
  /** For data and logs. */
  folder: string;
  onEvent: (line: string) => void;
  isStopped: () => boolean;
}

/** Starts a throw-away system, breaks and moves its workers under load, and proves the books. */
export function measure(plan: Plan): Promise<Measured> {
  return onThrowAwayPostgres(plan.folder, (postgres) => onBroker(plan, postgres));
}

async function onBroker(plan: Plan, postgres: PostgresServer): Promise<Measured> {
  await migrate(postgres.url, PARTITIONS);
  const ttl = plan.ttlMs === undefined ? {} : { LEASE_TTL_MS: String(plan.ttlMs) };
  const broker = await startBroker({
    databaseUrl: postgres.url,
    bundles: await bundleApps(),
    workers: WORKERS,
    env: { worker: { LOG_LEVEL: 'debug', DATABASE_POOL: '10', ...ttl }, exchange: { EXCHANGE_MANUAL: 'off' } },
  });
  try {
    await broker.exchange.behaves({ manual: false });
    const load = await Load.open(broker, PARTITIONS);
    const leaders = new Leaders(broker, PARTITIONS);
    await leaders.untilSettled();
    load.start();
    const run = new Run(broker, load, leaders, plan);
    await (async () => {
      await run.kills();
      await run.moves();
    })().finally(() => load.stop());
    const { trades, violations } = await broker.books();
    return { takeoverMs: run.takeoverMs, pauseMs: run.pauseMs, trades, violations };
  } finally {
    await broker.close();
  }
}

class Run {
  readonly takeoverMs: number[] = [];
  readonly pauseMs: number[] = [];
  readonly #broker: Broker;
  readonly #load: Load;
  readonly #leaders: Leaders;
  readonly #plan: Plan;

  constructor(broker: Broker, load: Load, leaders: Leaders, plan: Plan) {
    this.#broker = broker;
    this.#load = load;
    this.#leaders = leaders;
    this.#plan = plan;
  }

  async kills(): Promise<void> {
    for (let i = 0; i < this.#plan.kills && !this.#plan.isStopped(); i += 1) {
      const victim = this.#worker(i);
      const partitions = await this.#leaders.ledBy(victim);
      const killedAtMs = Date.now();
      await victim.kill();
      await this.#load.place(partitions);
      const tookMs = (await this.#leaders.untilSending(partitions, killedAtMs)).map((time) => time - killedAtMs);
      this.takeoverMs.push(...tookMs);
      this.#plan.onEvent(`killed ${victim.name}: ${partitions.length} partitions, the last after ${Math.max(...tookMs)} ms`);
      await victim.start();
      await this.#leaders.untilSettled();
    }
  }

  async moves(): Promise<void> {
    for (let i = 0; i < this.#plan.moves && !this.#plan.isStopped(); i += 1) {
      const worker = this.#worker(i >> 1);
      const isLeaving = i % 2 === 0;
      await delay(REST_MS);
      const fromMs = Date.now();
      if (isLeaving) await this.#leave(worker);
      else await worker.start();
      await this.#leaders.untilSettled();
      const { pauses } = await eventually(
        () => pausesSince(this.#broker, fromMs),
        ({ leaderless }) => leaderless === 0,
        { what: 'a leader of each partition that was handed over' },
      );
      this.pauseMs.push(...pauses);
      const what = `${worker.name} ${isLeaving ? 'left' : 'joined'}`;
      this.#plan.onEvent(`${what}: ${pauses.length} partitions moved, the longest pause ${Math.max(...pauses)} ms`);
    }
  }

  /** In order; `AppProcess.stop` would be for good. */
  async #leave(worker: AppProcess): Promise<void> {
    worker.signal('SIGTERM');
    await eventually(
      () => worker.pid,
      (pid) => pid === undefined,
      { what: `the end of ${worker.name}` },
    );
  }

  #worker(i: number): AppProcess {
    const worker = this.#broker.system.workers[i % WORKERS];
    if (worker === undefined) throw new Error('there is no worker');
    return worker;
  }
}
