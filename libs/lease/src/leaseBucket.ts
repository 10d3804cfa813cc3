import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import { Kvm, type KvWatchEntry } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { DRAINING, drainKey, parseValue } from './keys.ts';

/** What the bucket says at one moment; a moment later it may be otherwise. */
export interface LeaseSnapshot {
  /** Those that are alive. */
  workers: { id: string; draining: boolean }[];
  /** By partition, renewed within their lifetime. */
  leases: Map<number, { holder: string; renewedAt: Date }>;
}

/** An operator's view of the leases: it reads, and asks; it never takes or gives a lease. */
export interface LeaseBucket {
  /** A bucket that is not there is an empty one. */
  read(): Promise<LeaseSnapshot>;
  /** Asks a worker to give up all that it leads, until it is restarted. To be repeated until it has: it may be deaf for a moment. */
  askToDrain(workerId: string): Promise<void>;
}

const STREAM_NOT_FOUND = 10059;
const TIMEOUT_MS = 5_000;
/** Each attempt reads one of the copies, as the servers choose. */
const ATTEMPTS = 8;

type Open = () => ReturnType<Kvm['open']>;

/** Never makes the bucket: only workers know its lifetime and copies. */
export function openLeaseBucket(connection: NatsConnection, bucket: string): LeaseBucket {
  const open: Open = () => new Kvm(connection).open(bucket, { timeout: TIMEOUT_MS });
  return {
    read: async () => {
      try {
        return await readWhole(connection, bucket, open);
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return { workers: [], leases: new Map() };
        throw error;
      }
    },
    askToDrain: async (workerId) => {
      await (await open()).put(drainKey(workerId), 'asked');
    },
  };
}

/**
 * A nats-server's copy of the bucket that has diverged from the others has an earlier last revision: what it says counts for nothing, and
 * another is read.
 *
 * @throws Error when no copy was found that has what its leader has
 */
async function readWhole(connection: NatsConnection, bucket: string, open: Open): Promise<LeaseSnapshot> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: TIMEOUT_MS });
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    // Answered by the leader of the copies.
    const { state, ts } = await manager.streams.info(`KV_${bucket}`);
    const entries = state.messages === 0 ? [] : await readEntries(open);
    const newest = entries.at(-1)?.revision ?? 0;
    if (state.messages === 0 || newest >= state.last_seq)
      return snapshotOf(entries, ts === undefined ? Date.now() : Date.parse(ts));
  }
  throw new Error(`the copies of ${bucket} differ: a nats-server has diverged from the others, see docs/alerts/no-leader.md`);
}

async function readEntries(open: Open): Promise<KvWatchEntry[]> {
  const entries = await (await open()).history();
  const timer = setTimeout(() => entries.stop(), TIMEOUT_MS);
  try {
    return await Array.fromAsync(entries);
  } finally {
    clearTimeout(timer);
  }
}

export type LeaseEntry = Pick<KvWatchEntry, 'key' | 'operation' | 'created' | 'string'>;

/**
 * @param entries oldest first; a key that was renewed or given up while they were read is there twice, and its last one counts
 * @param atMs when they were read, by the server's clock: the bucket keeps keys long after their lives
 */
export function snapshotOf(entries: LeaseEntry[], atMs: number): LeaseSnapshot {
  const snapshot: LeaseSnapshot = { workers: [], leases: new Map() };
  for (const entry of new Map(entries.map((each) => [each.key, each])).values()) note(snapshot, entry, atMs);
  snapshot.workers.sort((a, b) => (a.id < b.id ? -1 : 1));
  return snapshot;
}

function note(snapshot: LeaseSnapshot, entry: LeaseEntry, atMs: number): void {
  if (entry.operation !== 'PUT') return;
  const [kind, name = ''] = entry.key.split('.');
  const { holder, ttlMs } = parseValue(entry.string(), Number.POSITIVE_INFINITY);
  if (atMs - entry.created.getTime() > ttlMs) return;
  if (kind === 'worker') snapshot.workers.push({ id: name, draining: holder === DRAINING });
  else if (kind === 'partition') snapshot.leases.set(Number(name), { holder, renewedAt: entry.created });
}
