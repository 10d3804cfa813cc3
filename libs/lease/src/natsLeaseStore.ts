import { JetStreamApiError } from '@nats-io/jetstream';
import type { KV, KvWatchEntry } from '@nats-io/kv';
import { type BucketOptions, ensureBucket } from './ensureBucket.ts';
import type { LeaseChange, LeaseStore } from './ports.ts';

/** "wrong last sequence": the key's revision is not the one that was named. */
const WRONG_REVISION = 10071;
const TIMEOUT_MS = 2_000;

/**
 * Leases in a JetStream key-value bucket whose keys have a lifetime. The bucket is made again whenever it is gone.
 *
 * @throws SharedSettingsError when the bucket is not, and cannot be made, as this worker needs it
 */
export async function natsLeaseStore(options: BucketOptions): Promise<LeaseStore> {
  const open = () => ensureBucket(options);
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
        // Workers announce themselves so, once in each renewal: they see soon when another start, or a person, has changed the bucket.
        kv = await open();
        return await kv.put(key, holder);
      }),
    delete: (key, revision) => guarded(() => kv.delete(key, revision === undefined ? {} : { previousSeq: revision })),
    async *watch(signal) {
      // A watch begins anew when its bucket may be another one by now, which another worker has made.
      kv = await open();
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
