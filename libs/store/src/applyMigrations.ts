import { NO_FILTERS, readMigrations, withSchemaEngine } from './schemaEngine.ts';

/** Applies what is missing, with Prisma's engine. @returns the names of the migrations applied */
export async function applyMigrations(databaseUrl: string): Promise<string[]> {
  const { appliedMigrationNames } = await withSchemaEngine(databaseUrl, (engine) =>
    engine.applyMigrations({ migrationsList: readMigrations(), filters: NO_FILTERS }),
  );
  return appliedMigrationNames;
}
