import type { LeaseSnapshot } from '@stockbroker/lease';
import type { PartitionFence } from '@stockbroker/store/operate';

/** One partition, from both sides: the lease in JetStream says who leads now, the fence in PostgreSQL who may write. */
export interface PartitionState {
  partition: number;
  /** Null when nobody has the lease. */
  leader: string | null;
  renewedAt: Date | null;
  epoch: bigint;
  /** Who raised the epoch last, and when. */
  fencedBy: string;
  since: Date;
  problem: 'no-leader' | 'disagree' | null;
}

/** Either may change a moment before the other, when a partition changes hands. */
export function joinStates(fences: PartitionFence[], { leases }: LeaseSnapshot): PartitionState[] {
  return fences.map(({ partition, epoch, leader: fencedBy, since }) => {
    const lease = leases.get(partition);
    const problem = lease === undefined ? 'no-leader' : lease.holder === fencedBy ? null : 'disagree';
    return { partition, leader: lease?.holder ?? null, renewedAt: lease?.renewedAt ?? null, epoch, fencedBy, since, problem };
  });
}

/** Partitions that have had the same problem all the while: what a change of hands explains has gone by then. */
export function stillWrong(before: PartitionState[] | undefined, now: PartitionState[]): PartitionState[] {
  const known = new Map(before?.map((state) => [state.partition, state.problem]));
  return now.filter(({ partition, problem }) => problem !== null && (before === undefined || known.get(partition) === problem));
}

export interface WorkerLoad {
  id: string;
  draining: boolean;
  /** False when it leads something and yet has not announced itself. */
  alive: boolean;
  partitions: number[];
  /** When it took over the first and the last of them. */
  since: { first: Date; last: Date } | null;
}

export function loads(states: PartitionState[], { workers }: LeaseSnapshot): WorkerLoad[] {
  const led = Map.groupBy(
    states.filter(({ leader }) => leader !== null),
    ({ leader }) => leader ?? '',
  );
  const known = new Set(workers.map(({ id }) => id));
  const silent = [...led.keys()].filter((id) => !known.has(id)).map((id) => ({ id, draining: false }));
  return [...workers, ...silent].map(({ id, draining }) => {
    const own = led.get(id) ?? [];
    const times = own.map(({ since }) => since.getTime()).sort((a, b) => a - b);
    const since = times.length === 0 ? null : { first: new Date(times[0] ?? 0), last: new Date(times.at(-1) ?? 0) };
    return { id, draining, alive: known.has(id), partitions: own.map(({ partition }) => partition), since };
  });
}

/** Fewest and most partitions of a worker that takes part; null when there is none. */
export function spread(workers: WorkerLoad[]): { least: number; most: number } | null {
  const counts = workers.filter(({ draining, alive }) => alive && !draining).map(({ partitions }) => partitions.length);
  return counts.length === 0 ? null : { least: Math.min(...counts), most: Math.max(...counts) };
}
