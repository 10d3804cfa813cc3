import type { NatsConnection } from '@nats-io/transport-node';
import { revisionOf } from '@stockbroker/trading';
import type { TradeRef } from './bus.ts';
import type { BusNames } from './names.ts';

/** Tells a partition's leader and the customer's watchers that a trade has ended. It may be lost. */
export function publishSettled(connection: NatsConnection, names: BusNames, trade: TradeRef): void {
  const { partition, customerId, id } = trade;
  connection.publish(names.settledSubject(partition), `${customerId} ${id}`);
  publishChanged(connection, names, trade);
}

/** Tells the customer's watchers of a trade's last change. It may be lost. */
export function publishChanged(connection: NatsConnection, names: BusNames, trade: TradeRef): void {
  connection.publish(names.updatesSubject(trade.customerId), String(revisionOf(trade)));
}
