import { setTimeout as delay } from 'node:timers/promises';
import { RpcChannel, type RpcClient } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { migrate } from '@stockbroker/store/migrate';
import {
  type Broker,
  type Customer,
  cpuSecondsOfChildren,
  eventually,
  type PostgresServer,
  startBroker,
  Watcher,
} from '@stockbroker/testkit';
import { parseUsd } from '@stockbroker/trading';
import { bundleApps } from '../bundleApps.ts';
import { onThrowAwayPostgres } from '../throwAwayPostgres.ts';

type TradingRpc = RpcClient<typeof TradingServiceDefinition>;

const PARTITIONS = 100;
/** Calls of PlaceTrade at once. */
const PLACING = 64;
/** Between two trades whose way to the screen is measured: nothing else is under way then. */
const REST_MS = 20;
const SLOW_TRADES = 200;
/** For what a start has left behind to be collected. */
const SETTLE_MS = 5_000;

export interface Plan {
  streams: number;
  /** In each run. */
  trades: number;
  /** Each is a run without streams and one with. */
  rounds: number;
  folder: string;
  onEvent: (line: string) => void;
  isStopped: () => boolean;
}

export interface Measured {
  without: Run[];
  with: Run[];
  /** From the fill at the exchange to the watching client, one trade at a time, ms. */
  fillMs: number[];
  /** Resident memory of a gateway that has done nothing else, with the first half of the streams open and with all, bytes. */
  memory: { half: number; all: number };
  violations: string[];
}

export interface Run {
  /** From the first placed to the last ended. */
  tradesASecond: number;
  /** Of all processes of the broker, PostgreSQL, NATS and the exchange; not of the clients. */
  cpuMsATrade: number;
}

/** Starts a throw-away system, loads it in turn with and without streams, and proves the books. */
export function measure(plan: Plan): Promise<Measured> {
  return onThrowAwayPostgres(plan.folder, (postgres) => onBroker(plan, postgres));
}

async function onBroker(plan: Plan, postgres: PostgresServer): Promise<Measured> {
  await migrate(postgres.url, PARTITIONS);
  const broker = await startBroker({
    databaseUrl: postgres.url,
    bundles: await bundleApps(),
    workers: 2,
    env: {
      exchange: { EXCHANGE_MANUAL: 'off' },
      gateway: { GATEWAY_MAX_STREAMS: '20000', GATEWAY_MAX_CALLS_PER_CONNECTION: '20000' },
    },
  });
  try {
    await broker.exchange.behaves({ manual: false });
    const customers = await openAccounts(broker, Math.max(plan.streams, 2 * PLACING));
    const result: Measured = {
      without: [],
      with: [],
      fillMs: [],
      memory: await memoryOfStreams(broker, customers.slice(0, plan.streams)),
      violations: [],
    };
    await load(broker, customers, plan.trades); // Not counted: the processes are new.
    for (let round = 0; round < plan.rounds && !plan.isStopped(); round += 1) {
      result.without.push(await load(broker, customers, plan.trades));
      const { watchers, close } = await watchAll(broker, customers.slice(0, plan.streams));
      result.with.push(await load(broker, customers, plan.trades));
      if (round === 0) result.fillMs = await fills(customers, watchers);
      await close();
      plan.onEvent(`round ${round + 1}: ${words(result.without.at(-1))} without streams, ${words(result.with.at(-1))} with`);
    }
    result.violations = (await broker.books()).violations;
    return result;
  } finally {
    await broker.close();
  }
}

/** The first streams also load and compile what all of them need; the others cost what a stream costs. */
async function memoryOfStreams(broker: Broker, customers: Customer[]): Promise<Measured['memory']> {
  const half = Math.floor(customers.length / 2);
  const first = await watchAll(broker, customers.slice(0, half));
  await delay(SETTLE_MS);
  const halfBytes = await residentBytes(broker);
  const others = await watchAll(broker, customers.slice(half));
  await delay(SETTLE_MS);
  const memory = { half: halfBytes, all: await residentBytes(broker) };
  await Promise.all([first.close(), others.close()]);
  return memory;
}

async function openAccounts(broker: Broker, count: number): Promise<Customer[]> {
  const customers: Customer[] = [];
  while (customers.length < count)
    customers.push(...(await broker.customers(Math.min(100, count - customers.length), { cash: parseUsd('1000000.00') })));
  return customers;
}

/** On connections of their own, a hundred each: a server takes it amiss when a thousand calls of one are cancelled at once. */
async function watchAll(broker: Broker, customers: Customer[]): Promise<{ watchers: Watcher[]; close: () => Promise<unknown> }> {
  const address = broker.gateway(0).endpoints.grpc ?? '';
  const channels = Array.from({ length: Math.ceil(customers.length / 100) }, () => new RpcChannel(address));
  const watchers = customers.map((customer, i) => {
    const client = customer.withToken(channels[i % channels.length]?.client(TradingServiceDefinition) as TradingRpc);
    return new Watcher(client, 0);
  });
  const standing = () => watchers.every(({ events, ended }) => events.length > 0 && ended === undefined);
  await eventually(standing, (all) => all, { what: 'all streams', deadlineMs: 120_000 });
  const close = () => {
    for (const channel of channels) channel.close();
    return Promise.all(watchers.map((watcher) => watcher.stop()));
  };
  return { watchers, close };
}

function words(run: Run | undefined): string {
  return `${run?.tradesASecond.toFixed(0)} trades a second, ${run?.cpuMsATrade.toFixed(2)} ms of processor a trade`;
}

/** Trades of many customers at once, until the last has ended. */
async function load(broker: Broker, customers: Customer[], trades: number): Promise<Run> {
  const startedMs = performance.now();
  const startedCpu = cpuSecondsOfChildren();
  let placed = 0;
  const place = async () => {
    while (placed < trades) {
      const customer = customers[placed % customers.length];
      placed += 1;
      await customer?.buys(1, 'AAPL');
    }
  };
  await Promise.all(Array.from({ length: PLACING }, place));
  await eventually(
    () => broker.db.openTrade.count(),
    (open) => open === 0,
    { what: 'the end of all trades', deadlineMs: 300_000, everyMs: 20 },
  );
  return {
    tradesASecond: (trades * 1_000) / (performance.now() - startedMs),
    cpuMsATrade: ((cpuSecondsOfChildren() - startedCpu) * 1_000) / trades,
  };
}

async function fills(customers: Customer[], watchers: Watcher[]): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < SLOW_TRADES; i += 1) {
    const [customer, watcher] = [customers[i % watchers.length], watchers[i % watchers.length]];
    if (customer === undefined || watcher === undefined) break;
    const { orderId } = await customer.buys(1, 'AAPL');
    const filledAt = () =>
      watcher.changes.flatMap(({ trades }) => trades).find((trade) => trade.orderId === orderId && trade.price !== '');
    const trade = await eventually(filledAt, (found) => found !== undefined, { what: 'the fill', everyMs: 1 });
    took.push(Date.now() - (trade?.executedAt?.getTime() ?? 0));
    await delay(REST_MS);
  }
  return took;
}

async function residentBytes(broker: Broker): Promise<number> {
  const metrics = await (await fetch(`${broker.gateway(0).endpoints.admin}/metrics`)).text();
  return Number(/^process_resident_memory_bytes(?:\{.*\})? (\S+)/m.exec(metrics)?.[1]);
}
