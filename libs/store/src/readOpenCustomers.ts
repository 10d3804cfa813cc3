import type { Waiting } from '@stockbroker/trade-flow';
import { MOST_OPEN_TRADES } from './openTrades.ts';
import { queuedBefore } from './readOldestOpenTrades.ts';
import type { Queries } from './statement.ts';

const HIGHEST_SEQ = 2n ** 63n - 1n;

/**
 * For each partition its customers with open trades, those with the oldest first, at most `limit` of them.
 *
 * A partition is read in steps along its index, each from where the one before has ended. Where one customer fills a whole step, the next
 * one begins behind that customer: so a sweep looks at no more trades of a customer than two steps have, however many there are. A
 * step for each customer would be simpler, but took 20 times as long where each has one trade.
 */
export async function readOpenCustomers(
  db: Queries,
  asked: { partition: number; limit: number; waiting: Waiting }[],
): Promise<string[][]> {
  const rows = await db.query<{ rank: bigint; customerId: string }>`/* readOpenCustomers */
    WITH RECURSIVE asked AS MATERIALIZED (
      SELECT * FROM unnest(${asked.map((a) => a.partition)}::smallint[], ${asked.map((a) => a.limit)}::int[],
          ${asked.map((a) => a.waiting !== 'passed')}::boolean[], ${asked.map((a) => queuedBefore(a.waiting))}::timestamptz[])
        WITH ORDINALITY AS a(partition, most, waiting_too, queued_before, rank)
    ), step AS (
      SELECT rank, partition, waiting_too, queued_before, '00000000-0000-0000-0000-000000000000'::uuid AS last_customer, -1::bigint AS last_seq,
        '{}'::uuid[] AS customers, '{}'::bigint[] AS firsts, true AS is_full
      FROM asked
      UNION ALL
      SELECT s.rank, s.partition, s.waiting_too, s.queued_before, n.last_customer, n.last_seq, n.customers, n.firsts, n.is_full
      FROM step s CROSS JOIN LATERAL (
        SELECT (array_agg(customer_id ORDER BY customer_id DESC))[1] AS last_customer,
          CASE WHEN count(*) = 1 THEN ${HIGHEST_SEQ}::bigint ELSE (array_agg(last_seq ORDER BY customer_id DESC))[1] END AS last_seq,
          array_agg(customer_id) FILTER (WHERE first IS NOT NULL) AS customers,
          array_agg(first) FILTER (WHERE first IS NOT NULL) AS firsts,
          sum(count) = ${MOST_OPEN_TRADES}::int AS is_full
        FROM (
          SELECT customer_id, max(seq) AS last_seq, count(*) AS count,
            min(seq) FILTER (WHERE NOT waits_for_open OR (s.waiting_too AND coalesce(queued_at < s.queued_before, true))) AS first
          FROM (
            SELECT customer_id, seq, waits_for_open, queued_at FROM open_trades o
            WHERE o.partition = s.partition AND (o.customer_id, o.seq) > (s.last_customer, s.last_seq)
            ORDER BY customer_id, seq LIMIT ${MOST_OPEN_TRADES}::int
          ) AS r GROUP BY customer_id
        ) AS c
      ) AS n WHERE s.is_full AND n.last_customer IS NOT NULL
    )
    SELECT a.rank, o.customer_id AS "customerId"
    FROM asked a CROSS JOIN LATERAL (
      SELECT u.customer_id, min(u.first) AS first FROM step s CROSS JOIN unnest(s.customers, s.firsts) AS u(customer_id, first)
      WHERE s.rank = a.rank GROUP BY u.customer_id ORDER BY first LIMIT a.most
    ) AS o ORDER BY a.rank, o.first`;
  const lists = asked.map((): string[] => []);
  for (const { rank, customerId } of rows) lists[Number(rank) - 1]?.push(customerId);
  return lists;
}
