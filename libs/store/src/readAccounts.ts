import type { Account } from '@stockbroker/trading';
import { ACCOUNT_COLUMNS, type AccountRow, JOIN_ACCOUNT, toAccount } from './customerState.ts';
import type { Queries } from './statement.ts';

/** Cash and shares of each customer at one moment, in the order asked; null for those who do not exist. */
export async function readAccounts(db: Queries, customerIds: string[]): Promise<(Account | null)[]> {
  const rows = await db.query<AccountRow>`/* readAccounts */
    SELECT ${ACCOUNT_COLUMNS}
    FROM unnest(${customerIds}::uuid[]) WITH ORDINALITY AS a(customer_id, rank)
    ${JOIN_ACCOUNT}`;
  const byRank = new Map(rows.map((row) => [Number(row.rank), toAccount(row)]));
  return customerIds.map((_, i) => byRank.get(i + 1) ?? null);
}
