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
  problem: 'no-leader' | 'disagree' | 'moving' | null;
}

/** Either may change a moment before the other, when a partition changes hands. */
export function joinStates(fences: PartitionFence[], { leases }: LeaseSnapshot): PartitionState[] {
  return fences.map(({ partition, epoch, leader: fencedBy, since }) => {
    const lease = leases.get(partition);
    const problem = lease === undefined ? 'no-leader' : lease.holder === fencedBy ? null : 'disagree';
    return { partition, leader: lease?.holder ?? null, renewedAt: lease?.renewedAt ?? null, epoch, fencedBy, since, problem };
  });
}

/** What is seen of the partitions while somebody looks again and again. */
export class Looks {
  #first: PartitionState[] | undefined;
  #last: PartitionState[] = [];
  #wrong: PartitionState[] = [];
  #isQuiet = false;

  add(states: PartitionState[]): void {
    const before = new Map(this.#last.map((state) => [state.partition, state]));
    const known = new Map(this.#wrong.map((state) => [state.partition, state.problem]));
    const wrong = states.filter(({ problem }) => problem !== null);
    this.#isQuiet =
      this.#first !== undefined &&
      wrong.length === 0 &&
      states.every(({ partition, epoch }) => before.get(partition)?.epoch === epoch);
    this.#wrong = this.#first === undefined ? wrong : wrong.filter(({ partition, problem }) => known.get(partition) === problem);
    this.#first ??= states;
    this.#last = states;
  }

  /** All is well in a look, and nothing has changed hands since the look before: one look alone sees only a moment. */
  get isQuiet(): boolean {
    return this.#isQuiet;
  }

  /**
   * What a change of hands does not explain: partitions that have had the same problem all the while, and those that have changed hands
   * more than once. None when the last looks were quiet.
   */
  get wrong(): PartitionState[] {
    if (this.#isQuiet) return [];
    const wrong = new Map(this.#wrong.map((state) => [state.partition, state]));
    const first = new Map(this.#first?.map((state) => [state.partition, state.epoch]));
    for (const state of this.#last) {
      const raised = state.epoch - (first.get(state.partition) ?? state.epoch);
      if (raised > 1n && !wrong.has(state.partition)) wrong.set(state.partition, { ...state, problem: 'moving' });
    }
    return [...wrong.values()].toSorted((a, b) => a.partition - b.partition);
  }
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
