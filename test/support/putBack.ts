import type { Broker } from '@stockbroker/testkit';

/** Puts the row of an executed trade back to before it was marked, with all that the mark had changed: as a restore, or a failover, does. */
export async function putBack(broker: Broker, { orderId }: { orderId: string }): Promise<void> {
  const id = `'${orderId}'::uuid`;
  await broker.db.$transaction([
    // What the broker itself can never do: the triggers stay away.
    broker.db.$executeRawUnsafe('SET LOCAL session_replication_role = replica'),
    broker.db.$executeRawUnsafe(
      `UPDATE balances b SET held = b.held - t.hold FROM trades t WHERE t.id = ${id} AND b.customer_id = t.customer_id`,
    ),
    broker.db.$executeRawUnsafe(
      `UPDATE trades SET status = 'placed', limit_price = NULL, hold = NULL, submitted_at = NULL, executed_revision = NULL WHERE id = ${id}`,
    ),
  ]);
}
