import pg from 'pg';
import { type Queries, sqlText } from './statement.ts';

/** The history that the server writes, as eight hexadecimal digits: a standby that was promoted, and a restored server, begin another. */
export const TIMELINE = sqlText`substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`;

/** Insufficient privilege, feature not supported, undefined function. */
const CANNOT_TELL = ['42501', '0A000', '42883'];

/**
 * Null where the server cannot tell it, as some managed ones. Then a leadership is not fenced by a failover; what commits were lost with
 * it is noticed when the next leadership begins, and by reconciling.
 */
export async function readTimeline(db: Queries): Promise<string | null> {
  try {
    const [row] = await db.query<{ timeline: string }>`/* readTimeline */ SELECT ${TIMELINE} AS timeline`;
    return row?.timeline ?? null;
  } catch (error) {
    if (error instanceof pg.DatabaseError && CANNOT_TELL.includes(error.code ?? '')) return null;
    throw error;
  }
}
