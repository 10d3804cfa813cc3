import type pg from 'pg';

interface Dropped {
  table: string;
  name: string;
  /** That makes it again. */
  create: string;
}

/** Fills tables without their indexes, and builds these as they were, each as a step of its own. */
export async function rebuilding(
  client: pg.Client,
  tables: readonly string[],
  step: (name: string, run: () => Promise<unknown>) => Promise<void>,
  fill: () => Promise<void>,
): Promise<void> {
  const dropped = await describe(client, tables);
  for (const { table, name, create } of dropped)
    await client.query(create.startsWith('ALTER') ? `ALTER TABLE ${table} DROP CONSTRAINT "${name}"` : `DROP INDEX "${name}"`);
  await fill();
  for (const { name, create } of dropped) await step(name, () => client.query(create));
}

/** Primary keys are constraints, all others of ours plain indexes. */
async function describe(client: pg.Client, tables: readonly string[]): Promise<Dropped[]> {
  const { rows } = await client.query<Dropped>(
    `SELECT i.indrelid::regclass::text AS table, x.relname AS name, coalesce(
       'ALTER TABLE ' || i.indrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(c.conname) || ' ' || pg_get_constraintdef(c.oid),
       pg_get_indexdef(i.indexrelid)) AS create
     FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
     LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
     WHERE i.indrelid = ANY($1::regclass[]) ORDER BY 1, 2`,
    [tables],
  );
  return rows;
}
