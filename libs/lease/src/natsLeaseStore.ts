import { JetStreamApiError } from '@nats-io/jetstream';
import { type KV, Kvm, type KvWatchEntry } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import type { LeaseChange, LeaseStore } from './ports.ts';

/** "wrong last sequence": the key's revision is not the one that was named. */
const WRONG_REVISION = 10071;
const TIMEOUT_MS = 2_000;

export interface NatsLeaseStoreOptions {
  connection: NatsConnection;
  bucket: string;
  ttlMs: number;
  /** 1, or 3 with a cluster of NATS servers. */
  replicas: number;
}

/** Leases in a JetStream key-value bucket whose keys have a lifetime. The bucket is made again whenever it is gone. */
export async function natsLeaseStore(options: NatsLeaseStoreOptions): Promise<LeaseStore> {
  const { connection, bucket, ttlMs, replicas } = options;
  const open = () => new Kvm(connection).create(bucket, { ttl: ttlMs, history: 1, replicas, timeout: TIMEOUT_MS });
  let kv: KV = await open();

  /** A failed call may mean that the bucket is gone: it is opened again for the next one. */
  const guarded = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      if (!isWrongRevision(error)) kv = await open();
      throw error;
    }
  };
  return {
    create: (key, holder) =>
      guarded(async () => {
        try {
          return await kv.create(key, holder);
        } catch (error) {
          if (isWrongRevision(error)) return 'taken';
          throw error;
        }
      }),
    update: (key, holder, revision) =>
      guarded(async () => {
        try {
          return await kv.update(key, holder, revision, TIMEOUT_MS);
        } catch (error) {
          if (isWrongRevision(error)) return 'lost';
          throw error;
        }
      }),
    put: (key, holder) =>
      guarded(async () => {
        await kv.put(key, holder);
      }),
    delete: (key, revision) => guarded(() => kv.delete(key, revision === undefined ? {} : { previousSeq: revision })),
    async *watch(signal) {
      const entries = await guarded(() => kv.watch());
      const stop = () => entries.stop();
      signal.addEventListener('abort', stop, { once: true });
      try {
        if (signal.aborted) return;
        yield* changesOf(entries);
      } finally {
        signal.removeEventListener('abort', stop);
        entries.stop();
      }
    },
  };
}

/** What there is comes first, oldest first, and its last entry counts as an update already; only then the ages are known. */
async function* changesOf(entries: AsyncIterable<KvWatchEntry>): AsyncGenerator<LeaseChange> {
  let initial: KvWatchEntry[] | undefined = [];
  for await (const entry of entries) {
    if (initial === undefined) {
      yield toChange(entry, 0);
    } else {
      initial.push(entry);
      if (!entry.isUpdate) continue;
      for (const early of initial) yield toChange(early, Math.max(0, entry.created.getTime() - early.created.getTime()));
      initial = undefined;
    }
  }
}

function toChange(entry: KvWatchEntry, ageMs: number): LeaseChange {
  return { key: entry.key, revision: entry.revision, holder: entry.operation === 'PUT' ? entry.string() : null, ageMs };
}

function isWrongRevision(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === WRONG_REVISION;
}
