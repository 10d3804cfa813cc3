import type { UsdE4 } from '@stockbroker/trading';
import type { Database } from '../database.ts';
import { attempt } from '../errors.ts';

export interface BlockedAccount {
  customerId: string;
  amount: UsdE4;
  held: UsdE4;
  lastModified: Date;
  /** The customer's latest buy that cost more than was held for it. */
  overdrawnBy: string | null;
}

/** Accounts whose buys are blocked, by customer. No index helps: updates of balances stay cheap, and operators can wait a second. */
export function listBlockedAccounts(db: Database, page: { after: string; limit: number }): Promise<BlockedAccount[]> {
  return attempt(
    () => db.$queryRaw<BlockedAccount[]>`
      SELECT b.customer_id AS "customerId", b.amount, b.held, b.last_modified AS "lastModified",
        (SELECT t.id FROM trades t
         WHERE t.customer_id = b.customer_id AND t.type = 'buy' AND t.status = 'filled' AND t.quantity * t.price > t.hold
         ORDER BY t.seq DESC LIMIT 1) AS "overdrawnBy"
      FROM (
        SELECT * FROM balances WHERE buys_blocked AND customer_id > ${page.after}::uuid ORDER BY customer_id LIMIT ${page.limit}
      ) AS b ORDER BY b.customer_id`,
  );
}
