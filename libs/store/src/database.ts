import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { Prisma, PrismaClient } from './generated/prisma/client.ts';
import { type Queries, statementsOn } from './statement.ts';

export { Prisma };
export type Database = PrismaClient & Queries;

export interface DatabaseOptions {
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

/**
 * The generated client and `query`, for statements whose rows go to the flow, over one pool of pg connections. Connects when first used;
 * `$disconnect` ends the pool.
 */
export function openDatabase(options: DatabaseOptions): Database {
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
  const adapter = new PrismaPg(pool, { onConnectionError: options.onConnectionError });
  const client = new PrismaClient({ adapter, errorFormat: 'minimal' });
  const disconnectClient = client.$disconnect.bind(client);
  const $disconnect = async () => {
    await disconnectClient();
    if (!pool.ending) await pool.end();
  };
  return Object.assign(client, { query: statementsOn(pool), $disconnect });
}
