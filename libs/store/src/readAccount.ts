import type { Account } from '@stockbroker/trading';
import type { Database } from './database.ts';

type Row = Omit<Account, 'positions'> & { stockTicker: string | null; quantity: bigint; sharesHeld: bigint };

/** Cash and shares of one customer at one moment: a single statement, or a settlement could fall between two. */
export async function readAccount(db: Database, customerId: string): Promise<Account | null> {
  const rows = await db.$queryRaw<Row[]>`/* readAccount */
    SELECT b.customer_id AS "customerId", b.amount, b.held, b.buys_blocked AS "buysBlocked", b.last_modified AS "lastModified",
      p.stock_ticker AS "stockTicker", p.quantity, p.held AS "sharesHeld"
    FROM balances b LEFT JOIN positions p ON p.customer_id = b.customer_id AND p.quantity <> 0
    WHERE b.customer_id = ${customerId}::uuid ORDER BY p.stock_ticker`;
  const [first] = rows;
  if (first === undefined) return null;
  const positions = rows.flatMap(({ stockTicker, quantity, sharesHeld }) =>
    stockTicker === null ? [] : [{ stockTicker, quantity, held: sharesHeld }],
  );
  const { customerId: id, amount, held, buysBlocked, lastModified } = first;
  return { customerId: id, amount, held, buysBlocked, lastModified, positions };
}
