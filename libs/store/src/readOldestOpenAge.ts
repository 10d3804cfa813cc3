import type { Database } from './database.ts';
import { attempt } from './errors.ts';

/** For how long the trade placed first among the open ones has been open, milliseconds; 0 when none is open. */
export async function readOldestOpenAge(db: Database): Promise<number> {
  const rows = await attempt(
    () => db.$queryRaw<{ ageMs: number }[]>`/* readOldestOpenAge */
      SELECT (extract(epoch FROM now() - t.created_at) * 1000)::float8 AS "ageMs"
      FROM (SELECT trade_id FROM open_trades ORDER BY seq LIMIT 1) AS o JOIN trades t ON t.id = o.trade_id`,
  );
  return Math.max(0, rows[0]?.ageMs ?? 0);
}
