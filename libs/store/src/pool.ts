import pg from 'pg';
import { connectionSettings, type Settings } from './connectionSettings.ts';
import { fitConnection, refuseSharedSessions } from './fitConnection.ts';

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
  /** Settings of these connections beside those that all have. */
  settings?: Settings;
  /** Told of connections that broke while idle; they are replaced. */
  onConnectionError: (error: Error) => void;
  /** Told once what makes the server lose data in a crash. */
  onWarning?: (sentence: string) => void;
}

/**
 * Far longer than the statements of the broker hold their locks, and far shorter than a statement may take: who waits so long waits for
 * somebody else.
 */
export const DEFAULT_LOCK_TIMEOUT_MS = 200;

/** Connects when first used; whoever opens it ends it. Each connection has what connectionSettings.ts lists, or is refused. */
export function openPool(options: PoolOptions): pg.Pool {
  const { statementTimeoutMs, lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS, onWarning = () => {} } = options;
  const config: pg.ClientConfig = {
    connectionString: options.url,
    connectionTimeoutMillis: statementTimeoutMs,
    query_timeout: options.queryTimeoutMs ?? statementTimeoutMs + 1_000,
    keepAlive: true,
    application_name: options.applicationName ?? 'stockbroker',
  };
  const wanted = connectionSettings({ statementTimeoutMs, lockTimeoutMs }, options.settings);
  const warned = new Set<string>();
  const warnOnce = (sentence: string) => {
    if (!warned.has(sentence)) onWarning(sentence);
    warned.add(sentence);
  };
  let sessionsAreOwn: Promise<void> | undefined;
  const onConnect = async (client: pg.ClientBase) => {
    const mark = await fitConnection(client, wanted, warnOnce);
    sessionsAreOwn ??= checkSessions(config, client, mark);
    try {
      await sessionsAreOwn;
    } catch (error) {
      sessionsAreOwn = undefined; // Asked again by the next one.
      throw error;
    }
  };
  const pool = new pg.Pool({ ...config, max: options.poolSize, onConnect });
  pool.on('error', options.onConnectionError);
  return pool;
}

/** Once a pool, with a connection beside its first one. All others wait for it, so a server that goes silent must not hold it up for ever. */
async function checkSessions(config: pg.ClientConfig, client: pg.ClientBase, mark: string): Promise<void> {
  const other = new pg.Client(config);
  other.on('error', () => {}); // Lost between two queries: the next one tells.
  try {
    await other.connect();
    await refuseSharedSessions(client, mark, other);
  } finally {
    // Not waited for. Already broken, which the query has reported.
    void other.end().catch(() => {});
  }
}
