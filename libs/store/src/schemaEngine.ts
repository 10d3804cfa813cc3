import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, type SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { type MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { connectionSettings } from './connectionSettings.ts';
import { fitConnection } from './fitConnection.ts';
import { MIGRATIONS_DIR, migrationNames, PRISMA_DIR } from './migrationFiles.ts';

/** No table and no enum is managed by others. */
export const NO_FILTERS = { externalTables: [], externalEnums: [] };

/** prisma/schema.prisma, as the engine takes it. */
export function readSchema(): { path: string; content: string } {
  return { path: 'schema.prisma', content: readFileSync(`${PRISMA_DIR}/schema.prisma`, 'utf8') };
}

/** prisma/migrations, as the engine takes them. */
export function readMigrations(): MigrationList {
  return {
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
  };
}

/** Prisma's schema engine on a database. It runs as WebAssembly, so that nothing is downloaded. */
export async function withSchemaEngine<T>(databaseUrl: string, use: (engine: SchemaEngine) => Promise<T>): Promise<T> {
  // A pool of our own, because the engine would leave its connections open, and a database with connections cannot be cloned.
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    onConnect: async (client) => {
      await fitConnection(client, connectionSettings({ statementTimeoutMs: 0 }));
    },
  });
  const factory = new PrismaPg(pool) as unknown as SqlMigrationAwareDriverAdapterFactory;
  const { path, content } = readSchema();
  const engine = await SchemaEngine.new(
    { datamodels: [[path, content]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(wholeScripts(factory, pool)),
  );
  try {
    return await use(engine);
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
