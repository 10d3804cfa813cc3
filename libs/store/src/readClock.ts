import type { Queries } from './statement.ts';

/** The database's time, milliseconds since 1970. */
export async function readClock(db: Queries): Promise<number> {
  const [row] = await db.query<{
    ms: number;
  }>`/* readClock */ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms`;
  if (row === undefined) throw new Error('readClock: no row');
  return row.ms;
}
