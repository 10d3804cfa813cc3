import { JetStreamApiError, jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { checkIdentity, checkReplicas, ensureSettings, IDENTITY_KEY, SharedSettingsError } from '@stockbroker/runtime';

const TIMEOUT_MS = 2_000;
const NANOS_PER_MS = 1_000_000;

export interface BucketOptions {
  connection: NatsConnection;
  bucket: string;
  /** How long the bucket keeps a key that nobody writes, at least. Workers pass KEYS_KEPT_MS; a lease ends by its own lifetime. */
  keptMs: number;
  /** 1, or 3 with a cluster of NATS servers. */
  replicas: number;
  /** The identity of the broker's database. */
  database: string;
}

/**
 * Far longer than leases live. Each replica of nats-server 2.10 forgets keys by its own clock, and checks by what it has whether a key
 * is new: a key created in the moment in which one replica has forgotten the former one and another has not is there on one of them only,
 * and from then on they disagree. While keys are kept, leases change hands at revisions, which the leader of the replicas checks alone.
 */
export const KEYS_KEPT_MS = 3_600_000;

/**
 * Opens the bucket of leases, made if it is gone, with the settings that this worker needs. They are read back each time.
 *
 * Keys are never kept for less than any worker has asked for: a key says itself how long it is to live (keys.ts), so that workers with
 * another LEASE_TTL_MS run side by side, as they do while it is being changed. A bucket that forgot keys sooner than their worker trusts
 * them would have each partition change its leader for ever.
 *
 * The database's identity is in the metadata, which does not expire as keys do.
 *
 * @throws SharedSettingsError when it is another broker's, or NATS refuses a change
 */
export async function ensureBucket({ connection, bucket, keptMs, replicas, database }: BucketOptions): Promise<KV> {
  checkReplicas(replicas, connection.info?.cluster);
  const metadata = { [IDENTITY_KEY]: database };
  const kvm = new Kvm(connection);
  const kv = await refusable(bucket, replicas, () =>
    kvm.create(bucket, { ttl: keptMs, history: 1, replicas, metadata, timeout: TIMEOUT_MS }),
  );
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: TIMEOUT_MS });
  const stream = `KV_${bucket}`;
  const { config } = await manager.streams.info(stream);
  const what = `the bucket ${bucket}`;
  checkIdentity(what, config.metadata, database);
  await ensureSettings(
    {
      what,
      read: async () => settingsOf((await manager.streams.info(stream)).config, keptMs),
      change: () =>
        manager.streams.update(stream, {
          max_age: Math.max(config.max_age, keptMs * NANOS_PER_MS),
          num_replicas: replicas,
          max_msgs_per_subject: 1,
          metadata: { ...config.metadata, ...metadata },
        }),
      isRefusal: (error) => error instanceof JetStreamApiError,
      remedy: 'set the variable to what the NATS servers can keep, or give them what they lack.',
    },
    { 'lifetime of keys in ms': keptMs, NATS_REPLICAS: replicas, history: 1, [IDENTITY_KEY]: database },
  );
  return kv;
}

/** Of a longer lifetime as much as we need: another worker may have raised it meanwhile. 0, for ever, is none that we know. */
function settingsOf(
  { max_age, num_replicas, max_msgs_per_subject, metadata }: StreamConfig,
  keptMs: number,
): Record<string, unknown> {
  return {
    'lifetime of keys in ms': Math.min(max_age / NANOS_PER_MS, keptMs),
    NATS_REPLICAS: num_replicas,
    history: max_msgs_per_subject,
    [IDENTITY_KEY]: metadata?.[IDENTITY_KEY],
  };
}

/** "stream name already in use with a different configuration": another worker was faster, and has another LEASE_TTL_MS. */
const OTHER_CONFIGURATION = 10058;

async function refusable(bucket: string, replicas: number, make: () => Promise<KV>): Promise<KV> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error;
    if (error.code === OTHER_CONFIGURATION) return make();
    throw new SharedSettingsError(
      `NATS refuses to make the bucket ${bucket} with NATS_REPLICAS ${replicas} (${error.message}): set what its servers can keep.`,
      { cause: error },
    );
  }
}
