import type { UsdE4 } from '@stockbroker/trading';
import type { Database } from './database.ts';

export interface OpeningAccount {
  customerId: string;
  cash: UsdE4;
  /** Shares by ticker. */
  shares: Record<string, number>;
}

/**
 * Opens accounts with cash and shares, for demo customers and tests; deposits are another system's. An account that exists is
 * left as it is. What it begins with is entered in account_entries, so that its books can be proven at any time.
 *
 * @returns how many were opened
 */
export async function openAccounts(db: Database, accounts: OpeningAccount[]): Promise<number> {
  const shares = accounts.flatMap(({ customerId, shares: owned }) =>
    Object.entries(owned).map(([stockTicker, quantity]) => ({ customerId, stockTicker, quantity })),
  );
  const rows = await db.$queryRaw<{ count: bigint }[]>`
    WITH opened AS (
      INSERT INTO balances (customer_id, amount)
      SELECT * FROM unnest(${accounts.map((a) => a.customerId)}::uuid[], ${accounts.map((a) => a.cash)}::bigint[])
      ON CONFLICT DO NOTHING RETURNING customer_id, amount
    ), share AS (
      SELECT s.* FROM unnest(${shares.map((s) => s.customerId)}::uuid[], ${shares.map((s) => s.stockTicker)}::text[],
        ${shares.map((s) => s.quantity)}::bigint[]) AS s(customer_id, stock_ticker, quantity) JOIN opened USING (customer_id)
    ), endowed AS (
      INSERT INTO positions (customer_id, stock_ticker, quantity) SELECT * FROM share
    ), entered AS (
      INSERT INTO account_entries (customer_id, stock_ticker, amount, why)
      SELECT customer_id, NULL, amount, 'opening' FROM opened
      UNION ALL SELECT customer_id, stock_ticker, quantity, 'opening' FROM share
    )
    SELECT count(*) AS count FROM opened`;
  return Number(rows[0]?.count ?? 0);
}
