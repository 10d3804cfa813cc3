import { PrismaPg } from '@prisma/adapter-pg';
import { Prisma, PrismaClient } from './generated/prisma/client.ts';

export { Prisma };
export type Database = PrismaClient;

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

/** A hot statement begins with its name in a comment: it is then prepared once per connection, and has its name in the server's statistics. */
const STATEMENT_NAME = /^\s*\/\* (\w+) \*\//;

/** The generated client over a pool of pg connections. Connects when first used. */
export function openDatabase(options: DatabaseOptions): Database {
  const names = new Map<string, string>();
  const statementNameGenerator = ({ sql }: { sql: string }): string => {
    const known = names.get(sql);
    if (known !== undefined) return known;
    const name = STATEMENT_NAME.exec(sql)?.[1];
    if (name === undefined) return ''; // Prisma's own texts vary without bound: not prepared, not remembered.
    names.set(sql, name);
    return name;
  };
  const pool = {
    connectionString: options.url,
    max: options.poolSize,
    connectionTimeoutMillis: options.statementTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.statementTimeoutMs + 1_000,
    keepAlive: true,
    ...(options.settings === undefined ? {} : { options: options.settings }),
  };
  const adapter = new PrismaPg(pool, {
    statementNameGenerator,
    onPoolError: options.onConnectionError,
    onConnectionError: options.onConnectionError,
  });
  return new PrismaClient({ adapter, errorFormat: 'minimal' });
}
