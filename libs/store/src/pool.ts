import pg from 'pg';

export interface PoolOptions {
  /** postgresql://user:password@host:port/database */
  url: string;
  /** Connections of this process. */
  poolSize: number;
  /** A statement that takes longer is cancelled by the server, and given up by the client a second later. */
  statementTimeoutMs: number;
  /** Settings of the server for these connections, as "-c name=value"; by default its own. */
  settings?: string;
  /** Told of connections that broke while idle; they are replaced. */
  onConnectionError: (error: Error) => void;
}

/** Connects when first used; whoever opens it ends it. */
export function openPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    connectionTimeoutMillis: options.statementTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.statementTimeoutMs + 1_000,
    keepAlive: true,
    ...(options.settings === undefined ? {} : { options: options.settings }),
  });
  pool.on('error', options.onConnectionError);
  return pool;
}
