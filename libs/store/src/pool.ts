import pg from 'pg';

export interface PoolOptions {
  /** postgresql://user:password@host:port/database */
  url: string;
  /** Connections of this process. */
  poolSize: number;
  /** A statement that takes longer is cancelled by the server, and given up by the client a second later. */
  statementTimeoutMs: number;
  /** By default that second later; 0: never given up by the driver. */
  queryTimeoutMs?: number;
  /** As pg_stat_activity shows it. */
  applicationName?: string;
  /** A statement that waits for a lock for longer fails, and has done nothing; by default DEFAULT_LOCK_TIMEOUT_MS. */
  lockTimeoutMs?: number;
  /** Settings of the server for these connections, as "-c name=value"; by default its own. */
  settings?: string;
  /** Told of connections that broke while idle; they are replaced. */
  onConnectionError: (error: Error) => void;
}

/**
 * Far longer than the statements of the broker hold their locks, and far shorter than a statement may take: who waits so long waits for
 * somebody else.
 */
export const DEFAULT_LOCK_TIMEOUT_MS = 200;

/** Connects when first used; whoever opens it ends it. */
export function openPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    connectionTimeoutMillis: options.statementTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS,
    query_timeout: options.queryTimeoutMs ?? options.statementTimeoutMs + 1_000,
    keepAlive: true,
    ...(options.applicationName === undefined ? {} : { application_name: options.applicationName }),
    ...(options.settings === undefined ? {} : { options: options.settings }),
  });
  pool.on('error', options.onConnectionError);
  return pool;
}
