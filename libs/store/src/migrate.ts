import { readdirSync, readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, type SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';

const PRISMA_DIR = new URL('../../../prisma/', import.meta.url).pathname;
const MIGRATIONS_DIR = `${PRISMA_DIR}migrations`;
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
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const applied = (await isUpToDate(client)) ? [] : await applyMigrations(databaseUrl);
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

function migrationNames(): string[] {
  return readdirSync(MIGRATIONS_DIR, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
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

async function applyMigrations(databaseUrl: string): Promise<string[]> {
  // A pool of our own, because the engine would leave its connections open, and a database with connections cannot be cloned.
  const pool = new pg.Pool({ connectionString: databaseUrl });
  const factory = new PrismaPg(pool) as unknown as SqlMigrationAwareDriverAdapterFactory;
  const engine = await SchemaEngine.new(
    { datamodels: [['schema.prisma', readFileSync(`${PRISMA_DIR}schema.prisma`, 'utf8')]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(wholeScripts(factory, pool)),
  );
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: {
        baseDir: MIGRATIONS_DIR,
        lockfile: { path: 'migration_lock.toml', content: readFileSync(`${MIGRATIONS_DIR}/migration_lock.toml`, 'utf8') },
        shadowDbInitScript: '',
        migrationDirectories: migrationNames().map((name) => ({
          path: name,
          migrationFile: {
            path: 'migration.sql',
            content: { tag: 'ok', value: readFileSync(`${MIGRATIONS_DIR}/${name}/migration.sql`, 'utf8') },
          },
        })),
      },
      filters: { externalTables: [], externalEnums: [] },
    });
    return appliedMigrationNames;
  } finally {
    engine.free();
    await pool.end();
  }
}

/** The adapter splits scripts at every semicolon, also inside function bodies; PostgreSQL takes a script whole. */
function wholeScripts(factory: SqlMigrationAwareDriverAdapterFactory, pool: pg.Pool): SqlMigrationAwareDriverAdapterFactory {
  const patch = async (connect: () => ReturnType<SqlMigrationAwareDriverAdapterFactory['connect']>) => {
    const adapter = await connect();
    adapter.executeScript = async (script) => {
      await pool.query(script);
    };
    return adapter;
  };
  return {
    ...factory,
    provider: factory.provider,
    adapterName: factory.adapterName,
    connect: () => patch(() => factory.connect()),
    connectToShadowDb: () => patch(() => factory.connectToShadowDb()),
  };
}
