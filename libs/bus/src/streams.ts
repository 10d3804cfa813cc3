import {
  AckPolicy,
  type ConsumerInfo,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { checkIdentity, ensureSettings, IDENTITY_KEY, SharedSettingsError } from '@stockbroker/runtime';
import type { BusNames } from './names.ts';

const wakeupConsumer = (partition: number): string => `partition-${partition}`;

/** How long a wake-up may be worked on before it is delivered again. Repeated wake-ups do nothing. */
const ACK_WAIT_MS = 60_000;
/** Wake-ups only speed things up: when nobody takes them, the oldest may go. Some 60 MB in each server's memory. */
const MAX_WAKEUPS = 500_000;
const MAX_AGE_MS = 24 * 3_600_000;
const NANOS_PER_MS = 1_000_000;

/**
 * What the stream of wake-ups is, but for its name and subjects.
 *
 * It is kept in memory: what a server forgets when it ends a sweep finds in the database. In files a wake-up cost the server twice as
 * much, 0.13 to 0.18 ms instead of 0.07 (docs/performance.md).
 */
export function wakeupStreamSettings(replicas: number): Partial<StreamConfig> {
  return {
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.Memory,
    num_replicas: replicas,
    max_msgs: MAX_WAKEUPS,
    max_age: MAX_AGE_MS * NANOS_PER_MS,
  };
}

/** "stream name already in use with a different configuration" */
const OTHER_CONFIGURATION = 10058;
/** "consumer already exists", with another configuration. */
const CONSUMER_EXISTS = 10148;
const STREAM_NOT_FOUND = 10059;

export interface WakeupStream {
  names: BusNames;
  replicas: number;
  /** The identity of the broker's database. */
  database: string;
}

/**
 * Makes the stream of wake-ups unless it is there, and changes what it has otherwise. Any process may do it, at any time.
 *
 * @throws SharedSettingsError when it is another broker's, or NATS refuses a change
 */
export async function ensureWakeupStream(manager: JetStreamManager, wanted: WakeupStream): Promise<void> {
  const name = wanted.names.wakeupStream;
  const settings = { ...wakeupStreamSettings(wanted.replicas), subjects: [wanted.names.wakeupSubjects] };
  const made = { ...settings, name, metadata: { [IDENTITY_KEY]: wanted.database } };
  let config = await readStream(manager, name);
  if (config === undefined) {
    await addStream(manager, made);
    config = await readStream(manager, name);
  }
  const what = `the stream ${name}`;
  checkIdentity(what, config?.metadata, wanted.database);
  if (config !== undefined && (config.storage !== settings.storage || config.retention !== settings.retention)) {
    // Of an earlier version. Neither can be changed, and all that it holds is in the database.
    await manager.streams.delete(name);
    await addStream(manager, made);
  }
  const read = async () => {
    const now = await readStream(manager, name);
    return { ...now, NATS_REPLICAS: now?.num_replicas, [IDENTITY_KEY]: now?.metadata?.[IDENTITY_KEY] };
  };
  const change = async () => {
    const { metadata } = (await readStream(manager, name)) ?? {};
    await manager.streams.update(name, { ...settings, metadata: { ...metadata, ...made.metadata } });
  };
  const remedy = 'set NATS_REPLICAS to what the NATS servers can keep, or give them what they lack.';
  const { num_replicas, ...others } = settings;
  await ensureSettings(
    { what, read, change, isRefusal, remedy },
    { NATS_REPLICAS: num_replicas, ...others, [IDENTITY_KEY]: wanted.database },
  );
}

async function readStream(manager: JetStreamManager, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await manager.streams.info(name)).config;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

async function addStream(manager: JetStreamManager, stream: Partial<StreamConfig> & { name: string }): Promise<void> {
  try {
    await manager.streams.add(stream);
  } catch (error) {
    // Made by another process meanwhile: it is compared all the same.
    if (!(error instanceof JetStreamApiError) || error.code !== OTHER_CONFIGURATION) throw refusalOf(stream, error);
  }
}

function refusalOf({ name, num_replicas }: Partial<StreamConfig>, error: unknown): unknown {
  if (!isRefusal(error)) return error;
  return new SharedSettingsError(
    `NATS refuses to make the stream ${name} with NATS_REPLICAS ${num_replicas} (${(error as Error).message}): set what its servers can keep.`,
    { cause: error },
  );
}

function isRefusal(error: unknown): boolean {
  return error instanceof JetStreamApiError;
}

/**
 * Makes a partition's durable consumer unless it is there, and changes one with other settings.
 *
 * @returns what is known of it, so that it need not be asked for
 */
export async function ensureWakeupConsumer(
  manager: JetStreamManager,
  { wakeupStream, wakeupSubject }: BusNames,
  partition: number,
): Promise<ConsumerInfo> {
  const settings = {
    filter_subject: wakeupSubject(partition),
    ack_wait: ACK_WAIT_MS * NANOS_PER_MS,
    max_ack_pending: 20_000,
  };
  const durable = wakeupConsumer(partition);
  try {
    return await manager.consumers.add(wakeupStream, { ...settings, durable_name: durable, ack_policy: AckPolicy.Explicit });
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_EXISTS) throw error;
    return manager.consumers.update(wakeupStream, durable, settings);
  }
}
