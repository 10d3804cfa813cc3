import { AckPolicy, type ConsumerInfo, type JetStreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';

const WAKEUP_STREAM = 'TRADES';

export const wakeupSubject = (partition: number): string => `trades.${partition}`;
export const settledSubject = (partition: number | '*'): string => `settled.${partition}`;
/** Not of a partition: gateways listen to their watchers' customers alone. */
export const updatesSubject = (customerId: string): string => `updates.${customerId}`;
const wakeupConsumer = (partition: number): string => `partition-${partition}`;

/** How long a wake-up may be worked on before it is delivered again. Repeated wake-ups do nothing. */
const ACK_WAIT_MS = 60_000;
/** Wake-ups only speed things up: when nobody takes them, the oldest may go. */
const MAX_WAKEUPS = 2_000_000;
const MAX_AGE_MS = 24 * 3_600_000;
const NANOS_PER_MS = 1_000_000;

/** Makes the stream of wake-ups unless it is there. Any process may do it, at any time. */
export async function ensureWakeupStream(manager: JetStreamManager, replicas: number): Promise<void> {
  await manager.streams.add({
    name: WAKEUP_STREAM,
    subjects: ['trades.*'],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    num_replicas: replicas,
    max_msgs: MAX_WAKEUPS,
    max_age: MAX_AGE_MS * NANOS_PER_MS,
  });
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
