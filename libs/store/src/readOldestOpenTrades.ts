import type { Trade } from '@stockbroker/trading';
import type { Database } from './database.ts';
import { TRADE_COLUMNS } from './tradeColumns.ts';

/** For each customer the oldest trade that is placed or executed, or null. Two index probes a customer. */
export async function readOldestOpenTrades(
  db: Database,
  customers: { customerId: string; partition: number }[],
): Promise<(Trade | null)[]> {
  const rows = await db.$queryRaw<Trade[]>`/* readOldestOpenTrades */
    SELECT ${TRADE_COLUMNS}
    FROM unnest(${customers.map((c) => c.customerId)}::uuid[], ${customers.map((c) => c.partition)}::smallint[]) AS c(customer_id, partition)
    CROSS JOIN LATERAL (
      SELECT o.trade_id FROM open_trades o
      WHERE o.partition = c.partition AND o.customer_id = c.customer_id
      ORDER BY o.seq LIMIT 1
    ) AS oldest
    JOIN trades t ON t.id = oldest.trade_id`;
  const byCustomer = new Map(rows.map((row) => [row.customerId, row]));
  return customers.map(({ customerId }) => byCustomer.get(customerId) ?? null);
}
