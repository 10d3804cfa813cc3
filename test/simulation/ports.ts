import type { LeaseChange, LeaseStore } from '@stockbroker/lease';
import type { Metrics, SeededRandom } from '@stockbroker/runtime';
import { Batchers, batchStatements, type TradeStore } from '@stockbroker/store/batching';
import {
  type CustomerNews,
  type Exchange,
  ExchangeInDoubtError,
  StoreUnavailableError,
  type Wakeups,
} from '@stockbroker/trade-flow';
import { revisionOf, type Trade } from '@stockbroker/trading';
import { Breaker } from '../../libs/exchange-client/src/breaker.ts';
import { changesFrom, type MemoryLeases } from '../../libs/lease/test/memoryLeaseStore.ts';
import { DatabaseClock } from '../../libs/store/src/databaseClock.ts';
import type { MemoryBus } from './memoryBus.ts';
import type { MemoryDatabase } from './memoryDatabase.ts';
import type { MemoryExchange } from './memoryExchange.ts';
import { readChanges, readNewRevisions, readSnapshots, readTurns } from './memoryWatching.ts';
import type { CallOptions, Network, Service } from './network.ts';
import type { Sessions } from './sessions.ts';
import type { SimulatedProcess } from './simulatedProcess.ts';
import type { World } from './world.ts';

/** The servers in memory, and what lies between them and the processes. */
export interface Servers {
  world: World;
  random: SeededRandom;
  network: Network;
  database: MemoryDatabase;
  databaseService: Service;
  exchange: MemoryExchange;
  exchangeService: Service;
  bus: MemoryBus;
  leases: MemoryLeases;
  natsService: Service;
  hours: Sessions;
  /** The servers' wall clock, which is never set. */
  now(): number;
}

/** Told in the moment in which a process has marked a trade, or sends one. */
export type OnTrade = (process: SimulatedProcess, trade: Trade) => void;

const STATEMENT_TIMEOUT_MS = 2_000;
const EXCHANGE_TIMEOUT_MS = 1_000;
const LEASE_TIMEOUT_MS = 2_000;
/** Of silence, until the exchange's quotes count as lost. */
const SILENCE_MS = 3_000;
/** The world waits for promises, not for turns of the event loop. */
const LIMITS = { maxBatch: 256, maxQueue: 10_000, soon: queueMicrotask };

/** The database as one process has it: the same batching as in production. */
export function storeOf(
  process: SimulatedProcess,
  { network, database, databaseService }: Servers,
  onMarked: OnTrade = () => {},
): TradeStore {
  const call = <T>(operation: string, run: () => T): Promise<T> =>
    network.call(process, databaseService, { operation, timeoutMs: STATEMENT_TIMEOUT_MS, toError: unavailable }, run);
  return batchStatements(
    {
      insertTrades: (trades) => call('insertTrades', () => database.insertTrades(trades)),
      readOldestOpenTrades: (customers) => call('readOldestOpenTrades', () => database.readOldestOpenTrades(customers)),
      readOpenCustomers: (asked) => call('readOpenCustomers', () => database.readOpenCustomers(asked)),
      readTurns: (trades) => call('readTurns', () => readTurns(database, trades)),
      markTradesExecuted: (marks) =>
        call('markTradesExecuted', () => {
          const results = database.markTradesExecuted(marks);
          for (const result of results) if (result.kind === 'marked') onMarked(process, result.trade);
          return results;
        }),
      cancelTrades: (asked) => call('cancelTrades', () => database.cancelTrades(asked)),
      settleTrades: (reports) => call('settleTrades', () => database.settleTrades(reports)),
      readTrades: (ids) => call('readTrades', () => database.readTrades(ids)),
      raiseEpochs: (takeovers) => call('raiseEpochs', () => database.raiseEpochs(takeovers)),
      quarantineCallbacks: (callbacks) => call('quarantineCallbacks', () => database.quarantineCallbacks(callbacks)),
      readSnapshots: (customers) => call('readSnapshots', () => readSnapshots(database, customers)),
      readChanges: (since) => call('readChanges', () => readChanges(database, since)),
      readNewRevisions: (known) => call('readNewRevisions', () => readNewRevisions(database, known)),
    },
    new Batchers({ ...LIMITS, now: process.monotonicMs }, UNMEASURED),
  );
}

/** How often the database is asked for the time. */
const CLOCK_MS = 1_000;

/** The database's time as one process can tell it. It begins its work only when it has measured it once. */
export function clockOf(process: SimulatedProcess, { network, database, databaseService }: Servers): { now(): number } {
  const clock = new DatabaseClock({ warn: () => {} }, UNMEASURED, process);
  const options: CallOptions = { operation: 'readClock', timeoutMs: STATEMENT_TIMEOUT_MS, toError: unavailable };
  let isMeasured = false;
  const run = async () => {
    while (process.isAlive) {
      await clock
        .measure(() => network.call(process, databaseService, options, database.now))
        .then(() => {
          isMeasured = true;
        })
        .catch(() => {});
      await process.sleep(CLOCK_MS);
    }
  };
  void run();
  return { now: () => (isMeasured ? clock.now() : database.now()) };
}

const unavailable = (cause: Error) => new StoreUnavailableError(cause);
const inDoubt = (cause: Error) => new ExchangeInDoubtError(cause);

/** The exchange as one worker has it. */
export function exchangeOf(process: SimulatedProcess, servers: Servers, onSent: OnTrade): Exchange {
  const { network, exchange, exchangeService, random, world } = servers;
  const breaker = new Breaker();
  const call = async <T>(operation: string, run: () => T): Promise<T> => {
    try {
      const options: CallOptions = { operation, timeoutMs: EXCHANGE_TIMEOUT_MS, toError: inDoubt };
      const answer = await network.call(process, exchangeService, options, run);
      breaker.succeeded();
      return answer;
    } catch (error) {
      breaker.failed(process.monotonicMs(), random.number());
      throw error;
    }
  };
  const bornAtMs = world.nowMs;
  const awayMs = () => {
    const sinceMs = network.unreachableSinceMs(process, exchangeService);
    return sinceMs === undefined ? 0 : world.nowMs - Math.max(sinceMs, bornAtMs);
  };
  const isSilent = () => awayMs() > SILENCE_MS;
  return {
    isReachable: () => !isSilent() && breaker.isClosed(process.monotonicMs()),
    freshQuote: async (stockTicker) => (isSilent() ? { kind: 'unreachable' } : exchange.quote(stockTicker)),
    awayForMs: awayMs,
    awayWithinMs: (periodMs) => Math.min(periodMs, awayMs()),
    recallOrder: (tradeId) => call('recallOrder', () => exchange.recall(tradeId)),
    submitOrder: (trade) => {
      onSent(process, trade);
      return call('submitOrder', () => exchange.submit(trade));
    },
    findOrder: (tradeId) => call('findOrder', () => exchange.find(tradeId)),
  };
}

export interface ProcessBus extends Wakeups, CustomerNews {
  onSettled(partition: number, handle: (customerId: string, tradeId: string) => void): { stop(): Promise<void> };
  onWakeup(partition: number, handle: (customerId: string, ack: () => void) => void): { stop(): Promise<void> };
}

/** NATS as one process has it: everything that it sends may be lost, doubled or late, and so may everything that it gets. */
export function busOf(process: SimulatedProcess, { world, random, network, bus, natsService }: Servers): ProcessBus {
  const reaches = () => natsService.isUp && !network.isCut(process, natsService) && !network.isDeaf(process);
  const copies = () => (network.isLost() ? 0 : random.chance(network.troubleRate) ? 2 : 1);
  const send = (run: () => void) => {
    for (let i = copies(); i > 0; i -= 1) world.quietlyAt(world.nowMs + network.delayMs(), () => reaches() && run());
  };
  const receive = (run: () => void) => {
    for (let i = copies(); i > 0; i -= 1) world.after(network.delayMs(), () => reaches() && process.deliver(run));
  };
  const subscribed = (stop: () => void) => {
    process.onKilled(stop);
    return { stop: async () => stop() };
  };
  const changed = (trade: Trade) => {
    const revision = revisionOf(trade);
    send(() => bus.publishChanged(trade.customerId, revision));
  };
  return {
    tradePlaced: (trade) => {
      send(() => bus.publishWakeup(trade.partition, trade.customerId));
      changed(trade);
    },
    tradeMarked: changed,
    tradeSettled: (trade) => {
      send(() => bus.publishSettled(trade.partition, trade.customerId, trade.id));
      changed(trade);
    },
    onCustomerChanged: (customerId, handle) =>
      subscribed(bus.listenChanged(customerId, (revision) => receive(() => handle(revision)))),
    onSettled: (partition, handle) =>
      subscribed(bus.listenSettled(partition, (customerId, tradeId) => receive(() => handle(customerId, tradeId)))),
    onWakeup: (partition, handle) =>
      subscribed(bus.takeWakeups(partition, (customerId, ack) => receive(() => handle(customerId, () => send(ack))))),
  };
}

/** The leases as one worker has them. */
export function leasesOf(process: SimulatedProcess, servers: Servers): LeaseStore {
  const { network, leases, natsService } = servers;
  const call = <T>(operation: string, run: () => T): Promise<T> =>
    network.call(process, natsService, { operation, timeoutMs: LEASE_TIMEOUT_MS, toError: (cause) => cause }, run);
  return {
    create: (key, holder) => call('createLease', () => leases.create(key, holder)),
    update: (key, holder, revision) => call('updateLease', () => leases.update(key, holder, revision)),
    put: (key, holder) => call('putLease', () => leases.put(key, holder)),
    delete: (key, revision) => call('deleteLease', () => leases.delete(key, revision)),
    watch: (signal) => watchFrom(process, servers, signal),
  };
}

async function* watchFrom(process: SimulatedProcess, servers: Servers, signal: AbortSignal): AsyncIterable<LeaseChange> {
  const { world, network, leases, natsService } = servers;
  const reaches = () => natsService.isUp && !network.isCut(process, natsService);
  if (!reaches()) throw new Error('not connected');
  let lastArrivalMs = 0;
  const copy = network.copyToWatch(process);
  yield* changesFrom((tell) => {
    const arrive = (told: LeaseChange) => {
      if (!reaches()) return;
      const change = copy.hasDiverged() ? asDiverged(told) : told;
      if (change === undefined) return;
      lastArrivalMs = Math.max(lastArrivalMs, world.nowMs + network.delayMs()); // One connection: nothing overtakes.
      world.at(lastArrivalMs, () => process.deliver(() => tell(change)));
    };
    const { current, stop } = leases.listen(arrive);
    process.onKilled(stop);
    for (const change of current) arrive(change);
    return stop;
  }, signal);
}

/** A copy that has missed something refuses what names a revision, and numbers the rest by itself. */
function asDiverged(change: LeaseChange): LeaseChange | undefined {
  return change.key.startsWith('worker.') ? { ...change, revision: change.revision - 0.5 } : undefined;
}

const UNMEASURED = {
  gauge: () => {},
  histogram: () => ({ startTimer: () => () => {}, observe: () => {}, zero: () => {} }),
  counter: () => ({ inc: () => {} }),
} as unknown as Metrics;
