import { Elector, type Term } from '@stockbroker/lease';
import {
  type CancelPorts,
  Changes,
  cancelTrade,
  type FlowEvent,
  type FlowLog,
  type LaneOptions,
  type PlacePorts,
  placeTrade,
  type SettlePorts,
  settleReport,
  type WatchEvent,
  watchTrades,
} from '@stockbroker/trade-flow';
import type { OrderReport, Trade, TradeOrder } from '@stockbroker/trading';
import { LedPartitions } from '../../apps/worker/src/leadPartitions.ts';
import { startSweeping } from '../../apps/worker/src/sweeping.ts';
import { busOf, clockOf, exchangeOf, leasesOf, type OnTrade, type Servers, storeOf } from './ports.ts';
import type { SimulatedProcess } from './simulatedProcess.ts';

export const PARTITIONS = 6;
export const LEASE_TTL_MS = 3_000;
/** How long leases may live where workers differ. */
export const LEASE_TTLS_MS = [2_000, LEASE_TTL_MS, 5_000];
export const LANE: LaneOptions = {
  maxOutageMs: 8_000,
  maxPlacedWaitMs: 60_000,
  maxResendAgeMs: 30_000,
  askAfterMs: 1_000,
  maxRetryMs: 1_000,
};
const SWEEP_MS = 1_000;
const MAX_LANES = 3;
const MAX_STARTING = 2;

/** Told of what happens in the processes. */
export interface Witness {
  event(process: SimulatedProcess, event: FlowEvent): void;
  log(process: SimulatedProcess, message: string): void;
  elected(process: SimulatedProcess, term: Term): void;
  marked: OnTrade;
  sent: OnTrade;
}

export interface Gateway {
  process: SimulatedProcess;
  place(order: TradeOrder): Promise<Trade>;
  read(tradeId: string): Promise<Trade | null>;
  cancel(asked: { customerId: string; tradeId: string }): Promise<Trade>;
  watch(asked: { customerId: string; after: number; signal: AbortSignal }): AsyncIterable<WatchEvent>;
}

export function startGateway(process: SimulatedProcess, servers: Servers, witness: Witness): Gateway {
  const store = storeOf(process, servers);
  const bus = busOf(process, servers);
  const changes = new Changes({ store, news: bus, clock: process, onProblem: () => {} });
  const ports: PlacePorts & CancelPorts = {
    store,
    wakeups: bus,
    clock: process,
    random: servers.random,
    observe: (event) => witness.event(process, event),
  };
  return {
    process,
    place: (order) => placeTrade(ports, PARTITIONS, order),
    read: (id) => store.readTrade(id),
    cancel: (asked) => cancelTrade(ports, asked),
    watch: (asked) => watchTrades({ store, changes, partitions: PARTITIONS }, asked),
  };
}

export interface Callback {
  process: SimulatedProcess;
  /** Resolves when the exchange need not send the report again. */
  take(report: OrderReport): Promise<unknown>;
}

export function startCallback(process: SimulatedProcess, servers: Servers, witness: Witness): Callback {
  const ports: SettlePorts = {
    store: storeOf(process, servers),
    wakeups: busOf(process, servers),
    clock: { now: servers.database.now },
    observe: (event) => witness.event(process, event),
  };
  return { process, take: (report) => settleReport(ports, report, Buffer.from(report.tradeId + describe(report))) };
}

function describe({ outcome }: OrderReport): string {
  return outcome.kind === 'filled' ? `${outcome.executionId} ${outcome.price}` : outcome.refusal.code;
}

export interface Worker {
  process: SimulatedProcess;
  /** Partitions of which it says that it should lead them, and nobody does. */
  withoutLeader(): number[];
  /** In order: everything is handed over first. */
  stop(): Promise<void>;
}

/** The worker's wiring of apps/worker/src/app.ts, over ports in memory. */
export function startWorker(process: SimulatedProcess, servers: Servers, witness: Witness, ttlMs = LEASE_TTL_MS): Worker {
  const store = storeOf(process, servers, witness.marked);
  const bus = busOf(process, servers);
  const say = (_fields: object, message: string) => witness.log(process, message);
  const log: FlowLog = { debug: () => {}, info: say, warn: say, error: say };
  const clock = { now: clockOf(process, servers).now, sleep: process.sleep };
  const led: LedPartitions = new LedPartitions({
    workerId: process.name,
    store,
    bus,
    lanePorts: {
      store,
      exchange: exchangeOf(process, servers, witness.sent),
      wakeups: bus,
      clock,
      random: servers.random,
      hours: servers.hours,
      observe: (event) => witness.event(process, event),
    },
    options: { ...LANE, maxLanes: MAX_LANES, maxStarting: MAX_STARTING },
    log,
    resign: (term) => void elector.resign(term),
  });
  const options = {
    workerId: process.name,
    partitions: PARTITIONS,
    clusterSize: 3,
    ttlMs,
    renewMs: ttlMs / 3,
    marginMs: ttlMs / 10,
  };
  const elector: Elector = new Elector(options, leasesOf(process, servers), process, {
    elected: (term) => {
      witness.elected(process, term);
      led.elected(term);
    },
    lost: (term) => led.lost(term),
    handOver: (term) => led.handOver(term),
    problem: (message, error) => led.problem(message, error),
  });
  elector.start();
  const sweeping = startSweeping(led, SWEEP_MS, { clock, hours: servers.hours }, () => {});
  return {
    process,
    withoutLeader: () => elector.withoutLeader.partitions,
    stop: async () => {
      await sweeping.stop();
      await elector.stop();
      await led.ended();
    },
  };
}
