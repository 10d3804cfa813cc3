import { attempt } from './errors.ts';
import type { Queries } from './statement.ts';

/** What a dashboard shows of the database. */
export interface DatabaseHealth {
  /** For how long the trade placed first among the open ones has been open, those left out that wait for the open; 0 when none is. */
  oldestOpenSeconds: number;
  /** Callbacks set aside that no operator has resolved; counted up to 10,000. */
  unresolvedCallbacks: number;
  /** Standbys that each commit waits for. */
  synchronousStandbys: number;
  /** Write-ahead log that the slowest standby has not replayed yet; 0 without standbys. */
  replayLagBytes: number;
}

/** One cheap statement. Of the standbys it sees only as much as the role may: `GRANT pg_monitor` lets it see all. */
export async function readHealth(db: Queries): Promise<DatabaseHealth> {
  const [health] = await attempt(
    () => db.query<DatabaseHealth>`/* readHealth */
      SELECT coalesce((
          SELECT greatest(0, extract(epoch FROM now() - t.created_at))
          FROM (SELECT trade_id FROM open_trades WHERE NOT waits_for_open ORDER BY seq LIMIT 1) AS o JOIN trades t ON t.id = o.trade_id
        ), 0)::float8 AS "oldestOpenSeconds",
        (SELECT count(*) FROM (SELECT FROM callback_quarantine WHERE resolved_at IS NULL LIMIT 10000) AS q)::int AS "unresolvedCallbacks",
        count(*) FILTER (WHERE r.sync_state IN ('sync', 'quorum'))::int AS "synchronousStandbys",
        coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn)), 0)::float8 AS "replayLagBytes"
      FROM pg_stat_replication r`,
  );
  if (health === undefined) throw new Error('readHealth: no row, although it is an aggregate');
  return health;
}
