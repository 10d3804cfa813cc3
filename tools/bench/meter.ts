import { availableParallelism } from 'node:os';
import { type Broker, cpuSecondsOf, residentBytesOf } from '@stockbroker/testkit';
import { type BatchesByKind, batchesBetween, readBatches } from './batches.ts';

/** Whose processes are told apart. */
const GROUPS = ['gateway', 'worker', 'callback', 'exchange', 'postgres', 'nats', 'load', 'watchers'] as const;
type Group = (typeof GROUPS)[number];

/** What a window of time cost, for each trade that ended in it. */
export interface Spent {
  /** Seconds of processor a thousand trades. */
  cpu: Record<Group | 'all', number>;
  /** Of all processors, from 0 to 1: also of those that did something else. */
  busy: number;
  walBytes: number;
  /** Statements of the broker's own processes: each is one round trip and one transaction. */
  statements: number;
  /** As PostgreSQL counts them, also of others. */
  transactions: number;
  /** Mean size of each kind of batch, and how many of them there were for each trade. */
  batchSizes: Record<string, { mean: number; aTrade: number }>;
}

/** Resident memory of a process, MB. */
export interface Memory {
  now: number;
  highest: number;
}

interface Reading {
  atMs: number;
  cpu: Record<Group, number>;
  wal: bigint;
  transactions: bigint;
  statements: BatchesByKind;
  messages: BatchesByKind;
}

export interface MeteredPids {
  postgres: number;
  load: number;
  /** Who has the WatchTrades streams. */
  watchers?: number;
}

/** Reads what the processes of a broker have used. */
export class Meter {
  readonly #broker: Broker;
  readonly #pids: MeteredPids;

  /** @param pids of processes that are none of the broker's; may change */
  constructor(broker: Broker, pids: MeteredPids) {
    this.#broker = broker;
    this.#pids = pids;
  }

  async read(): Promise<Reading> {
    const { gateways, workers, callbacks, exchange } = this.#broker.system;
    const urls = [...gateways, ...workers, ...callbacks, exchange].flatMap(({ endpoints }) => endpoints.admin ?? []);
    const [batches, [row]] = await Promise.all([
      readBatches(urls),
      this.#broker.db.$queryRaw<{ wal: bigint; transactions: bigint }[]>`
        SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS wal, xact_commit AS transactions
        FROM pg_stat_database WHERE datname = current_database()`,
    ]);
    const atMs = performance.now();
    return { atMs, cpu: this.#cpu(), wal: row?.wal ?? 0n, transactions: row?.transactions ?? 0n, ...batches };
  }

  /** Of each Node process by its name, with the load generator's. */
  memory(): Record<string, Memory> {
    const mb = (bytes: number) => Math.round(bytes / 1024 / 1024);
    const named = [...Object.entries(this.#apps()).flatMap(([, apps]) => apps), { name: 'load', pid: this.#pids.load }];
    const entries = named.flatMap(({ name, pid }): [string, Memory][] => {
      if (pid === undefined) return [];
      const { now, highest } = residentBytesOf(pid);
      return [[name, { now: mb(now), highest: mb(highest) }]];
    });
    return Object.fromEntries(entries);
  }

  #cpu(): Record<Group, number> {
    const pids = {
      ...Object.fromEntries(Object.entries(this.#apps()).map(([group, apps]) => [group, apps.map(({ pid }) => pid)])),
      postgres: [this.#pids.postgres],
      nats: [this.#broker.nats.pid],
      load: [this.#pids.load],
      watchers: [this.#pids.watchers],
    } as Record<Group, (number | undefined)[]>;
    const seconds = (group: Group) =>
      pids[group].reduce<number>((sum, pid) => sum + (pid === undefined ? 0 : cpuSecondsOf(pid)), 0);
    return Object.fromEntries(GROUPS.map((group) => [group, seconds(group)])) as Record<Group, number>;
  }

  #apps() {
    const { gateways, workers, callbacks, exchange } = this.#broker.system;
    return { gateway: gateways, worker: workers, callback: callbacks, exchange: [exchange] };
  }
}

/** @param trades that ended in between */
export function spentBetween(before: Reading, after: Reading, trades: number): Spent {
  const cpu = Object.fromEntries(
    GROUPS.map((group) => [group, ((after.cpu[group] - before.cpu[group]) * 1_000) / trades]),
  ) as Record<Group | 'all', number>;
  cpu.all = GROUPS.reduce((sum, group) => sum + cpu[group], 0);
  const statements = batchesBetween(before.statements, after.statements);
  const all = { ...statements, ...batchesBetween(before.messages, after.messages) };
  return {
    cpu,
    busy: (cpu.all * trades) / (after.atMs - before.atMs) / availableParallelism(),
    walBytes: Number(after.wal - before.wal) / trades,
    statements: Object.values(statements).reduce((sum, { count }) => sum + count, 0) / trades,
    transactions: Number(after.transactions - before.transactions) / trades,
    batchSizes: Object.fromEntries(
      Object.entries(all).map(([kind, { count, items }]) => [kind, { mean: items / count, aTrade: count / trades }]),
    ),
  };
}
