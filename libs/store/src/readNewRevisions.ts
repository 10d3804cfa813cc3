import type { KnownRevision } from '@stockbroker/trade-flow';
import type { Queries } from './statement.ts';

/** Of these customers those that have a higher revision by now, with that revision. One probe of `balances` a customer. */
export function readNewRevisions(db: Queries, known: KnownRevision[]): Promise<KnownRevision[]> {
  return db.query<KnownRevision>`/* readNewRevisions */
    SELECT b.customer_id AS "customerId", b.revision
    FROM unnest(${known.map((k) => k.customerId)}::uuid[], ${known.map((k) => k.revision)}::int[]) AS k(customer_id, revision)
    JOIN balances b ON b.customer_id = ANY (ARRAY[k.customer_id]) AND b.revision > k.revision`;
}
