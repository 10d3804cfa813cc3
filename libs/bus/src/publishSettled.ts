import type { NatsConnection } from '@nats-io/transport-node';
import { revisionOf } from '@stockbroker/trading';
import type { TradeRef } from './bus.ts';
import { settledSubject, updatesSubject } from './streams.ts';

/** Tells a partition's leader and the customer's watchers that a trade has ended. It may be lost. */
export function publishSettled(connection: NatsConnection, trade: TradeRef): void {
  const { partition, customerId, id } = trade;
  connection.publish(settledSubject(partition), `${customerId} ${id}`);
  publishChanged(connection, trade);
}

/** Tells the customer's watchers of a trade's last change. It may be lost. */
export function publishChanged(connection: NatsConnection, trade: TradeRef): void {
  connection.publish(updatesSubject(trade.customerId), String(revisionOf(trade)));
}
