import {
  AckPolicy,
  type ConsumerInfo,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';

const WAKEUP_STREAM = 'TRADES';

/** A message names customers with placed trades of the partition, with spaces between them. */
export const wakeupSubject = (partition: number): string => `trades.${partition}`;
export const settledSubject = (partition: number | '*'): string => `settled.${partition}`;
/** Not of a partition: gateways listen to their watchers' customers alone. */
export const updatesSubject = (customerId: string): string => `updates.${customerId}`;
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

/** Makes the stream of wake-ups unless it is there. Any process may do it, at any time. */
export async function ensureWakeupStream(manager: JetStreamManager, replicas: number): Promise<void> {
  const stream = { ...wakeupStreamSettings(replicas), name: WAKEUP_STREAM, subjects: ['trades.*'] };
  try {
    await manager.streams.add(stream);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== OTHER_CONFIGURATION) throw error;
    const { config } = await manager.streams.info(WAKEUP_STREAM);
    if (config.storage === StorageType.Memory) throw error;
    // Of an earlier version. Where a stream is kept cannot be changed, and all that it holds is in the database.
    await manager.streams.delete(WAKEUP_STREAM);
    await manager.streams.add(stream);
  }
}

/** Makes a partition's durable consumer unless it is there. @returns what is known of it, so that it need not be asked for */
export function ensureWakeupConsumer(manager: JetStreamManager, partition: number): Promise<ConsumerInfo> {
  return manager.consumers.add(WAKEUP_STREAM, {
    durable_name: wakeupConsumer(partition),
    filter_subject: wakeupSubject(partition),
    ack_policy: AckPolicy.Explicit,
    ack_wait: ACK_WAIT_MS * NANOS_PER_MS,
    max_ack_pending: 20_000,
  });
}
