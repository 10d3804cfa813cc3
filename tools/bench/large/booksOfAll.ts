import { openDatabase } from '@stockbroker/store/database';
import { checkAccounts } from '@stockbroker/store/operate';
import type { BooksReport } from '@stockbroker/testkit';
import { uuidV7 } from '@stockbroker/trading';

const PAGE = 5_000;
const TIMEOUT_MS = 600_000;

/** Proves the books of everybody in memory that does not grow with them, and counts the trades placed since then. */
export async function booksOfAll(databaseUrl: string, sinceMs: number, acknowledged: number): Promise<BooksReport> {
  const db = openDatabase({ url: databaseUrl, poolSize: 1, statementTimeoutMs: TIMEOUT_MS, onConnectionError: () => {} });
  try {
    const violations: string[] = [];
    for await (const { findings } of checkAccounts(db, PAGE)) violations.push(...findings.map((each) => JSON.stringify(each)));
    const rows = await db.$queryRaw<{ status: string; trades: number }[]>`
      SELECT status::text, count(*)::int AS trades FROM trades WHERE id >= ${uuidV7(sinceMs, new Uint8Array(10))}::uuid GROUP BY status`;
    const trades = rows.reduce((sum, row) => sum + row.trades, 0);
    if (trades !== acknowledged) violations.push(`${acknowledged} trades were acknowledged, ${trades} are there`);
    return { trades, byStatus: Object.fromEntries(rows.map((row) => [row.status, row.trades])), rejectedByCode: {}, violations };
  } finally {
    await db.$disconnect();
  }
}
