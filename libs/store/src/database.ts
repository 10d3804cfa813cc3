import { PrismaPg } from '@prisma/adapter-pg';
import { Prisma, PrismaClient } from './generated/prisma/client.ts';
import { openPool, type PoolOptions } from './pool.ts';
import { type Queries, statementsOn } from './statement.ts';

export { Prisma };
export type Database = PrismaClient & Queries;

/**
 * The generated client and `query` over one pool of pg connections: for operators' tools, demo data and tests. The broker's processes do
 * without the client, which takes some 50 MB of each (docs/decisions/0012). Connects when first used; `$disconnect` ends the pool.
 */
export function openDatabase(options: PoolOptions): Database {
  const pool = openPool(options);
  const adapter = new PrismaPg(pool, { onConnectionError: options.onConnectionError });
  const client = new PrismaClient({ adapter, errorFormat: 'minimal' });
  const disconnectClient = client.$disconnect.bind(client);
  const $disconnect = async () => {
    await disconnectClient();
    if (!pool.ending) await pool.end();
  };
  return Object.assign(client, { query: statementsOn(pool), $disconnect });
}
