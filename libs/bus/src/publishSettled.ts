import type { NatsConnection } from '@nats-io/transport-node';
import type { TradeRef } from './bus.ts';
import { settledSubject } from './streams.ts';

/** Tells a partition's leader that a trade has ended; for whoever settles one without a bus of its own. It may be lost. */
export function publishSettled(connection: NatsConnection, { partition, customerId, id }: TradeRef): void {
  connection.publish(settledSubject(partition), `${customerId} ${id}`);
}
