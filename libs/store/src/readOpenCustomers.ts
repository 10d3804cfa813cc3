import type { Waiting } from '@stockbroker/trade-flow';
import type { Queries } from './statement.ts';

/** For each partition its customers with open trades, those with the oldest first, at most `limit` of them. */
export async function readOpenCustomers(
  db: Queries,
  asked: { partition: number; limit: number; waiting: Waiting }[],
): Promise<string[][]> {
  const rows = await db.query<{ partition: number; customerId: string }>`/* readOpenCustomers */
    SELECT p.partition, o.customer_id AS "customerId"
    FROM unnest(${asked.map((a) => a.partition)}::smallint[], ${asked.map((a) => a.limit)}::int[],
        ${asked.map((a) => a.waiting === 'counted')}::boolean[]) AS p(partition, most, waiting_too)
    CROSS JOIN LATERAL (
      SELECT customer_id, min(seq) AS first FROM open_trades o
      WHERE o.partition = p.partition AND (p.waiting_too OR NOT o.waits_for_open)
      GROUP BY customer_id ORDER BY first LIMIT p.most
    ) AS o`;
  const byPartition = new Map<number, string[]>(asked.map((a) => [a.partition, []]));
  for (const row of rows) byPartition.get(row.partition)?.push(row.customerId);
  return asked.map((a) => byPartition.get(a.partition) ?? []);
}
