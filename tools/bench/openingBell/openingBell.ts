import { setTimeout as delay } from 'node:timers/promises';
import { storeVariables } from '@stockbroker/store';
import type { Database } from '@stockbroker/store/database';
import { migrate } from '@stockbroker/store/migrate';
import { type Broker, residentBytesOf, startBroker } from '@stockbroker/testkit';
import { appSettings } from '../../brokerProcesses.ts';
import { bundleApps } from '../../bundleApps.ts';
import { type BaselineRun, onOwnDatabase, withClient } from '../baselines/on.ts';
import { PARTITIONS, proveBooks } from '../tradeDatabase.ts';
import { openingIn } from './marketClock.ts';
import { queueTrades } from './queueTrades.ts';
import { type Waits, type WaitsWatch, watchWaits } from './waits.ts';

export interface OpeningBellOptions {
  customers?: number;
  tradesOfEach?: number;
  workers?: number;
  /** For the workers to start and to take all partitions before the open. */
  openInMs?: number;
  /** After a night in which all tables were empty when they were analyzed, and nobody looked again before the open. */
  analyzedEmpty?: boolean;
}

export interface OpeningBell {
  trades: number;
  customers: number;
  /** From the open until the last trade was filled and durable. */
  drainSeconds: number;
  perSecond: number;
  waits: Waits;
  /** Trades of whose end no message told: their customers' waits are not in `waits`. */
  untold: number;
  /** The most that each process of the broker had resident, MB. */
  highestMemory: Record<string, number>;
}

const POLL_MS = 100;
const BEFORE_OPEN_MS = 1_000;
/** Without any trade that ends: something is broken. */
const STUCK_MS = 120_000;
const BYTES_OF_MB = 1_000_000;

/**
 * Trades that were placed before the open to wait for it are released by New York's hours, as they are in production: the workers lead
 * all partitions when the session opens by their clocks. The exchange takes no time.
 */
export function openingBell(on: BaselineRun, options: OpeningBellOptions = {}): Promise<OpeningBell> {
  const { customers = 100_000, tradesOfEach = 2, workers = 2, openInMs = 30_000, analyzedEmpty = false } = options;
  const trades = customers * tradesOfEach;
  return onOwnDatabase(on, 'opening', async (databaseUrl) => {
    await migrate(databaseUrl, PARTITIONS);
    if (analyzedEmpty) await analyzeForGood(databaseUrl);
    await queueTrades(databaseUrl, customers, tradesOfEach);
    on.onEvent(`${trades} trades of ${customers} customers wait for the open`);
    const broker = await startBroker({ databaseUrl, bundles: await bundleApps(), workers: 0, env: environment() });
    on.onEvent(`logs of the broker, while it runs: ${broker.folder}`);
    try {
      await broker.exchange.behaves({ manual: false });
      const opensAtMs = await beginSession(broker, workers, openInMs);
      const watch = await watchWaits(broker.nats.url, opensAtMs);
      try {
        const drainedMs = await untilDrained(broker.db, watch, on, opensAtMs);
        await proveBooks(broker.db, trades);
        const drainSeconds = (drainedMs - opensAtMs) / 1_000;
        return {
          trades,
          customers,
          drainSeconds,
          perSecond: trades / drainSeconds,
          waits: watch.waits(),
          untold: trades - watch.ended,
          highestMemory: memoryOf(broker),
        };
      } finally {
        await watch.close();
      }
    } finally {
      await broker.close();
    }
  });
}

/** The planner goes by what it is told here: nothing looks at the tables again, however many rows come. */
async function analyzeForGood(databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    for (const table of ['trades', 'open_trades', 'balances', 'positions'])
      await client.query(`ALTER TABLE ${table} SET (autovacuum_analyze_threshold = 2147483647)`);
    await client.query('ANALYZE');
  });
}

/** What production has by default, not the small pools of tests; settings of the user's environment are handed on. */
function environment() {
  const common = { DATABASE_POOL: String(storeVariables.DATABASE_POOL.default), ...appSettings(process.env) };
  return { gateway: common, callback: common, worker: common, exchange: { EXCHANGE_MANUAL: 'off' } };
}

/**
 * Starts workers that lead all partitions and wait for the open, which comes in a second or more. On a machine on which they are not
 * ready by then it is begun again with more time: what would be measured is a takeover.
 *
 * @returns when the session opens, milliseconds since 1970
 */
async function beginSession(broker: Broker, count: number, openInMs: number): Promise<number> {
  const clock = openingIn(openInMs);
  const workers = await Promise.all(Array.from({ length: count }, () => broker.system.addWorker(clock.env)));
  const names = workers.map(({ endpoints }) => endpoints.worker ?? '');
  for (;;) {
    const led = await broker.db.partitionLease.count({ where: { leader: { in: names } } });
    const isSoon = Date.now() > clock.opensAtMs - BEFORE_OPEN_MS;
    if (led === PARTITIONS && !isSoon) return clock.opensAtMs;
    if (isSoon) break;
    await delay(POLL_MS);
  }
  await Promise.all(workers.map((worker) => worker.kill()));
  return beginSession(broker, count, 2 * openInMs);
}

/** @returns when the last trade was found to have ended. @throws when trades end no more, or the run is stopped */
async function untilDrained(db: Database, watch: WaitsWatch, on: BaselineRun, opensAtMs: number): Promise<number> {
  let seen = { ended: 0, atMs: opensAtMs };
  for (;;) {
    await delay(POLL_MS);
    const [row] = await db.$queryRaw<{ isOpen: boolean }[]>`SELECT EXISTS (SELECT FROM open_trades) AS "isOpen"`;
    const nowMs = Date.now();
    if (row?.isOpen === false) return nowMs;
    if (watch.ended > seen.ended) seen = { ended: watch.ended, atMs: nowMs };
    if (nowMs - seen.atMs > STUCK_MS) throw new Error(`trades end no more: ${watch.ended} have ended`);
    if (on.isStopped()) throw new Error('stopped before all trades had ended');
  }
}

function memoryOf({ system }: Broker): Record<string, number> {
  const processes = [...system.gateways, ...system.workers, ...system.callbacks, system.exchange];
  return Object.fromEntries(
    processes.flatMap(({ name, pid }) => (pid === undefined ? [] : [[name, residentBytesOf(pid).highest / BYTES_OF_MB]])),
  );
}
