import { Bus } from '@stockbroker/bus';
import { createExchangeClient, openExchangeTls, quoteRules } from '@stockbroker/exchange-client';
import { Elector, KEYS_KEPT_MS, leaseBucketName, natsLeaseStore, type Term } from '@stockbroker/lease';
import { marketHours } from '@stockbroker/market-hours';
import { type AppContext, type RunningApp, startProbe, systemClock, systemRandom } from '@stockbroker/runtime';
import { openStore } from '@stockbroker/store';
import { EVENT_KINDS, type LanePorts, reportTo } from '@stockbroker/trade-flow';
import { type WorkerConfig, workerId } from './config.ts';
import { leadingProblem } from './leadingProblem.ts';
import { LedPartitions } from './leadPartitions.ts';
import { startSweeping } from './sweeping.ts';

/** Leads partitions and runs their customers' lanes: the only process that sends orders to the exchange. */
export async function startWorker({ config, log, metrics, fail }: AppContext<WorkerConfig>): Promise<RunningApp> {
  const id = workerId(config);
  const tls = await openExchangeTls(config, { log, metrics });
  const store = await openStore(config, log, metrics);
  const database = await store.readIdentity();
  const bus = new Bus({ config, name: id, database, log, metrics, fail });
  const exchange = createExchangeClient({
    address: config.EXCHANGE_ADDRESS,
    apiKey: config.EXCHANGE_API_KEY,
    tls,
    callbackUrl: config.CALLBACK_URL,
    timeoutMs: config.EXCHANGE_TIMEOUT_MS,
    quoteWaitMs: config.QUOTE_WAIT_MS,
    quoteRules: quoteRules(config),
    now: store.now,
    log,
    metrics,
  });
  const events = metrics.counter('trade_events_total', 'What happened to trades', { kind: EVENT_KINDS });
  const lanePorts: LanePorts = {
    store,
    exchange,
    wakeups: bus,
    // The database's time: what it stores is of that, and this machine's clock may be wrong, or be set.
    clock: { now: store.now, sleep: systemClock.sleep },
    random: systemRandom,
    hours: marketHours({ kind: config.MARKET_HOURS, closings: config.MARKET_CLOSINGS }),
    observe: reportTo(log, (kind) => events.inc({ kind })),
  };
  const options = {
    maxLanes: config.MAX_LANES,
    maxStarting: config.MAX_STARTING_LANES,
    maxOutageMs: config.MAX_EXCHANGE_OUTAGE_MS,
    maxPlacedWaitMs: config.MAX_PLACED_WAIT_MS,
    maxResendAgeMs: config.MAX_RESEND_AGE_MS,
    askAfterMs: config.ASK_AFTER_MS,
    maxRetryMs: 2_000,
  };
  const led = new LedPartitions({
    workerId: id,
    store,
    bus,
    lanePorts,
    options,
    log,
    resign: (term: Term) => void elector.resign(term),
  });
  const connection = await bus.connection;
  await bus.ensured();
  const leaseStore = await natsLeaseStore({
    connection,
    bucket: leaseBucketName(config.NATS_PREFIX),
    database,
    keptMs: KEYS_KEPT_MS,
    replicas: config.NATS_REPLICAS,
  });
  const elector = new Elector(
    {
      workerId: id,
      partitions: config.PARTITIONS,
      clusterSize: Number(config.CLUSTER_SIZE),
      ttlMs: config.LEASE_TTL_MS,
      renewMs: config.LEASE_TTL_MS / 3,
      marginMs: config.LEASE_TTL_MS / 10,
    },
    leaseStore,
    systemClock,
    led,
  );
  await store.warmUp();
  elector.start();
  const sweeping = startSweeping(led, config.SWEEP_MS, lanePorts, (error) => log.warn({ err: error }, 'sweep failed'));
  const databaseProbe = startProbe(store.probe);
  metrics.gauge('worker_partitions_led', 'Partitions that this worker leads', () => led.count);
  // Longer than it takes to replace a leader that was killed.
  const unled = () => [elector.withoutLeader, led.notBegun(config.LEASE_TTL_MS)];
  metrics.gauge('worker_partitions_without_leader', 'Partitions that this worker should lead, and nobody does', () =>
    unled().reduce((sum, { partitions }) => sum + partitions.length, 0),
  );
  metrics.gauge('worker_lanes', 'Customers that this worker is busy with', () => led.lanes);

  return {
    endpoints: { worker: id },
    readiness: () => ({
      database: databaseProbe.problem(),
      nats: bus.problem(),
      // Asked to drain: it leads nothing more and can be stopped.
      drained: elector.isDraining ? 'draining: it takes no partitions until it is restarted' : undefined,
      // Partitions that it should lead, and nobody has led for longer than a lease lives.
      leading: leadingProblem(unled()),
      // A worker that sees itself among the workers takes part in elections, whatever it leads.
      elections: elector.isDraining || elector.workers.includes(id) ? undefined : 'not announced yet',
    }),
    stop: async () => {
      await sweeping.stop();
      await elector.stop();
      await led.ended();
      await exchange.close();
      await bus.close();
      tls?.stop();
      databaseProbe.stop();
      await store.close();
    },
  };
}
