import pg from 'pg';
import { NO_FILTERS, readSchema, withSchemaEngine } from '../src/schemaEngine.ts';

/** Everything in the schema `public`, a line each, without the order of columns and without Prisma's record of migrations. */
const CATALOG = `
  WITH relation AS (
    SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_prisma\\_migrations%'
  )
  SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'relation of kind ' || relkind::text END
    || ' ' || relname AS line FROM relation WHERE relkind <> 'i'
  UNION ALL
  SELECT format('column %s.%s %s', r.relname, a.attname, format_type(a.atttypid, a.atttypmod))
    || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
    || CASE WHEN a.attidentity <> '' THEN ' IDENTITY' WHEN a.attgenerated <> '' THEN ' GENERATED' ELSE '' END
    || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
  FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE r.relkind NOT IN ('S', 'i') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT format('collation of %s.%s: %s', r.relname, a.attname, a.attcollation::regcollation)
  FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid JOIN pg_type t ON t.oid = a.atttypid
  WHERE r.relkind = 'r' AND a.attcollation <> t.typcollation
  UNION ALL
  SELECT replace(pg_get_indexdef(i.indexrelid), ' ON public.', ' ON ') FROM relation r JOIN pg_index i ON i.indexrelid = r.oid
  UNION ALL
  SELECT CASE c.contype WHEN 'c' THEN format('check %s on %s', c.conname, r.relname)
    ELSE format('constraint %s on %s: %s', c.conname, r.relname, pg_get_constraintdef(c.oid)) END
  FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid WHERE c.contype <> 'n'
  UNION ALL
  SELECT format('trigger %s on %s', g.tgname, r.relname) FROM relation r JOIN pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal
  UNION ALL
  SELECT format('setting of %s: %s', relname, setting) FROM relation CROSS JOIN unnest(reloptions) AS setting
  UNION ALL
  SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL
  SELECT format('enum %s: %s', t.typname, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder))
  FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.typnamespace = 'public'::regnamespace GROUP BY t.typname`;

/** What a database consists of. Not-null constraints are told by their columns. */
export async function readCatalog(db: pg.Client): Promise<Set<string>> {
  const { rows } = await db.query<{ line: string }>(CATALOG);
  return new Set(rows.map(({ line }) => line));
}

/** What prisma/schema.prisma means as a database: this one, which is empty, gets the tables that Prisma itself would make. */
export async function readSchemaCatalog(emptyDatabaseUrl: string): Promise<Set<string>> {
  // As `prisma migrate diff --from-empty --to-schema --script` does it.
  const script = await withSchemaEngine(emptyDatabaseUrl, (engine) =>
    engine.diff({
      from: { tag: 'empty' },
      to: { tag: 'schemaDatamodel', files: [readSchema()] },
      script: true,
      exitCode: null,
      filters: NO_FILTERS,
    }),
  );
  const client = new pg.Client(emptyDatabaseUrl);
  await client.connect();
  try {
    await client.query(script.stdout ?? '');
    return await readCatalog(client);
  } finally {
    await client.end();
  }
}
