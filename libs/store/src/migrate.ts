import pg from 'pg';
import { connectionSettings } from './connectionSettings.ts';
import { fitConnection } from './fitConnection.ts';
import { migrationNames } from './migrationFiles.ts';

/** Any number that nothing else locks: two starts at once migrate one after the other. */
const MIGRATION_LOCK = 7_305_151;

export interface Migrated {
  /** Names of the migrations that were applied now; empty when the database was up to date. */
  applied: string[];
  /** The database's partition count, fixed when it was created. */
  partitions: number;
}

/**
 * Brings a database up to date with prisma/migrations and, when it is new, creates its partitions.
 *
 * These are ordinary Prisma migrations, recorded in `_prisma_migrations`; the engine runs as WebAssembly, so that nothing is
 * downloaded. The up-to-date case, every start but the first, is answered by one query and loads no engine.
 *
 * @param partitions how many partitions a new database gets; an existing one keeps its own
 */
export async function migrate(databaseUrl: string, partitions: number): Promise<Migrated> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {}); // A connection lost between two queries: the next one tells.
  await client.connect();
  try {
    await fitConnection(client, connectionSettings({ statementTimeoutMs: 0 }));
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const applied: string[] = [];
    if (!(await isUpToDate(client))) {
      const { applyMigrations } = await import('./applyMigrations.ts');
      applied.push(...(await applyMigrations(databaseUrl)));
    }
    await client.query(
      `INSERT INTO partition_leases (partition) SELECT generate_series(0, $1::int - 1)
       WHERE NOT EXISTS (SELECT 1 FROM partition_leases)`,
      [partitions],
    );
    const { rows } = await client.query<{ count: number }>('SELECT count(*)::int AS count FROM partition_leases');
    return { applied, partitions: rows[0]?.count ?? 0 };
  } finally {
    await client.end();
  }
}

async function isUpToDate(client: pg.Client): Promise<boolean> {
  const { rows: tables } = await client.query(`SELECT to_regclass('_prisma_migrations') AS name`);
  if (tables[0]?.name === null) return false;
  const { rows } = await client.query<{ migration_name: string }>(
    'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  );
  const done = new Set(rows.map((row) => row.migration_name));
  return migrationNames().every((name) => done.has(name));
}

/** Which database this is; undefined when it is not there, or not migrated. */
export async function readDatabaseIdentity(databaseUrl: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {}); // As above.
  try {
    await client.connect();
    const { rows } = await client.query<{ id: string }>('SELECT id FROM database_identity');
    return rows[0]?.id;
  } catch (error) {
    if (error instanceof pg.DatabaseError) return undefined;
    throw error;
  } finally {
    await client.end().catch(() => {}); // It may never have been connected.
  }
}

/** For a database made anew in the place of another: its broker goes on with the NATS that knows the other. */
export async function setDatabaseIdentity(databaseUrl: string, id: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {}); // As above.
  await client.connect();
  try {
    await client.query('UPDATE database_identity SET id = $1', [id]);
  } finally {
    await client.end();
  }
}
