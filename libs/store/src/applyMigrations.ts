import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, type SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { connectionSettings } from './connectionSettings.ts';
import { fitConnection } from './fitConnection.ts';
import { MIGRATIONS_DIR, migrationNames, PRISMA_DIR } from './migrationFiles.ts';

/** Applies what is missing, with Prisma's engine. @returns the names of the migrations applied */
export async function applyMigrations(databaseUrl: string): Promise<string[]> {
  // A pool of our own, because the engine would leave its connections open, and a database with connections cannot be cloned.
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    onConnect: async (client) => {
      await fitConnection(client, connectionSettings({ statementTimeoutMs: 0 }));
    },
  });
  const factory = new PrismaPg(pool) as unknown as SqlMigrationAwareDriverAdapterFactory;
  const engine = await SchemaEngine.new(
    { datamodels: [['schema.prisma', readFileSync(`${PRISMA_DIR}/schema.prisma`, 'utf8')]] },
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
