import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '@stockbroker/store/database';

/** Of one kind of statement, while it was looked at. */
interface StatementWork {
  name: string;
  calls: number;
  rows: number;
  /** In the server, without planning, and without the commit. */
  seconds: number;
  walBytes: number;
}

export interface DatabaseWork {
  statements: StatementWork[];
  /** What active connections were seen to wait for, or to be on a processor: how often each. */
  waits: Record<string, number>;
}

/** The extension has to be loaded when the server starts. */
export const PROFILED_POSTGRES = { shared_preload_libraries: 'pg_stat_statements' };

const LOOK_EVERY_MS = 20;

/** Looks for so long at what the database does, besides looking. */
export async function watchDatabase(db: Database, seconds: number): Promise<DatabaseWork> {
  await db.$executeRawUnsafe('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  await db.query`SELECT pg_stat_statements_reset()`;
  const waits: Record<string, number> = {};
  const names = new Map<string, string>();
  const until = performance.now() + seconds * 1_000;
  while (performance.now() < until) {
    for (const { id, name, wait } of await connections(db)) {
      if (wait !== null) waits[wait] = (waits[wait] ?? 0) + 1;
      if (id !== null && name !== null) names.set(id, name);
    }
    await delay(LOOK_EVERY_MS);
  }
  const statements = await db.query<StatementWork>`
    SELECT name, sum(calls)::float8 AS calls, sum(rows)::float8 AS rows, sum(total_exec_time) / 1000 AS seconds,
      sum(wal_bytes)::float8 AS "walBytes"
    FROM pg_stat_statements JOIN unnest(${[...names.keys()]}::bigint[], ${[...names.values()]}::text[]) AS seen (id, name) ON id = queryid
    GROUP BY 1 ORDER BY seconds DESC`;
  return { statements, waits };
}

/**
 * Each connection's last statement: whose name only stands here, because the statistics of statements have no comments in front; and
 * what it waits for, null once it is done.
 */
function connections(db: Database) {
  return db.query<{ id: string | null; name: string | null; wait: string | null }>`
    SELECT query_id::text AS id, substring(query FROM '^/[*] (\\w+) [*]/') AS name,
      CASE WHEN state = 'active' THEN coalesce(wait_event_type || ': ' || wait_event, 'a processor') END AS wait
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
}
