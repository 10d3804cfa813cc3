import { randomUUID } from 'node:crypto';
import { createDatabase } from '@stockbroker/testkit';
import pg from 'pg';
import { afterAll, expect, inject, test } from 'vitest';
import { cloneDatabase } from '../../../test/support/database.ts';
import { NO_FILTERS, readMigrations, withSchemaEngine } from '../src/schemaEngine.ts';
import { readCatalog, readSchemaCatalog } from './catalog.ts';

/** What stands in the migrations alone, on purpose. */
const ONLY_IN_MIGRATIONS = [
  // What a row may hold, and what may change: constraints.test.ts has what each of them refuses.
  'check balances_held_not_negative on balances',
  'check positions_held_owned on positions',
  'check trades_money_positive on trades',
  'check trades_quantity_positive on trades',
  'check trades_status_complete on trades',
  'function refuse_history_change()',
  'function refuse_trade_change()',
  'function refuse_uncovered_hold()',
  'trigger account_entries_fixed on account_entries',
  'trigger balances_hold_covered on balances',
  'trigger executions_fixed on executions',
  'trigger operator_actions_fixed on operator_actions',
  'trigger trades_final_is_final on trades',
  'trigger trades_never_deleted on trades',
  'trigger trades_order_is_fixed on trades',
  'trigger trades_transition on trades',
  // For the hot statements: docs/storage.md.
  'collation of executions.execution_id: "C"',
  'function count_open_trades(smallint,uuid,integer)',
  'setting of balances: fillfactor=80',
  'setting of open_trades: autovacuum_vacuum_cost_delay=0',
  'setting of open_trades: autovacuum_vacuum_scale_factor=0',
  'setting of open_trades: autovacuum_vacuum_threshold=5000',
  'setting of partition_leases: fillfactor=50',
  'setting of positions: fillfactor=80',
  'setting of trades: fillfactor=50',
  // Of some rows, or of an expression.
  'CREATE INDEX callback_quarantine_unresolved ON callback_quarantine USING btree (id) WHERE (resolved_at IS NULL)',
  'CREATE INDEX callback_quarantine_unresolved_trade ON callback_quarantine USING btree (trade_id) WHERE (resolved_at IS NULL)',
  'CREATE UNIQUE INDEX database_identity_is_one ON database_identity USING btree ((true))',
];

const url = await cloneDatabase();
const database = new pg.Client(url);
await database.connect();
afterAll(() => database.end());
const schema = await readSchemaCatalog(await createDatabase(inject('postgresUrl'), `test-${randomUUID()}`));

/** How the database and prisma/schema.prisma differ, beyond what is meant to. */
async function differences(): Promise<{ missing: string[]; unknown: string[] }> {
  const expected = schema.union(new Set(ONLY_IN_MIGRATIONS));
  const catalog = await readCatalog(database);
  return { missing: [...expected.difference(catalog)].toSorted(), unknown: [...catalog.difference(expected)].toSorted() };
}

test('the migrated database is what prisma/schema.prisma says, and what stands in the migrations alone is listed here', async () => {
  expect(await differences()).toEqual({ missing: [], unknown: [] });
});

test.each<[string, missing: string[], unknown: string[]]>([
  ['CREATE TABLE fees (id UUID)', [], ['column fees.id uuid', 'table fees']],
  ['ALTER TABLE trades ADD COLUMN venue TEXT', [], ['column trades.venue text']],
  [
    'ALTER TABLE partition_leases DROP COLUMN leader',
    ["column partition_leases.leader character varying(100) NOT NULL DEFAULT ''::character varying"],
    [],
  ],
  [
    'ALTER TABLE trades ALTER reason TYPE VARCHAR(200)',
    ['column trades.reason character varying(300)'],
    ['column trades.reason character varying(200)'],
  ],
  [
    'ALTER TABLE trades ALTER ended_at TYPE TIMESTAMPTZ(6)',
    ['column trades.ended_at timestamp(3) with time zone'],
    ['column trades.ended_at timestamp(6) with time zone'],
  ],
  [
    'ALTER TABLE positions ALTER quantity DROP NOT NULL',
    ['column positions.quantity bigint NOT NULL'],
    ['column positions.quantity bigint'],
  ],
  [
    'ALTER TABLE balances ALTER revision SET DEFAULT 1',
    ['column balances.revision integer NOT NULL DEFAULT 0'],
    ['column balances.revision integer NOT NULL DEFAULT 1'],
  ],
  [
    'DROP INDEX trades_customer_id_seq_key',
    ['CREATE UNIQUE INDEX trades_customer_id_seq_key ON trades USING btree (customer_id, seq)'],
    [],
  ],
  ['CREATE INDEX trades_status ON trades (status)', [], ['CREATE INDEX trades_status ON trades USING btree (status)']],
  [
    "ALTER TYPE trade_status ADD VALUE 'canceled' BEFORE 'filled'",
    ['enum trade_status: placed, executed, filled, rejected'],
    ['enum trade_status: placed, executed, canceled, filled, rejected'],
  ],
  ['ALTER TABLE executions ADD CHECK (trade_id IS NOT NULL)', [], ['check executions_trade_id_check on executions']],
])('the comparison notices: %s', async (change, missing, unknown) => {
  await database.query('BEGIN');
  try {
    await database.query(change);
    expect(await differences()).toEqual({ missing, unknown });
  } finally {
    await database.query('ROLLBACK');
  }
});

test('what `prisma migrate status` asks: every migration is applied, as it stands in prisma/migrations', async () => {
  const status = await withSchemaEngine(url, (engine) =>
    engine.diagnoseMigrationHistory({ migrationsList: readMigrations(), optInToShadowDatabase: false, filters: NO_FILTERS }),
  );
  expect(status).toEqual({ editedMigrationNames: [], failedMigrationNames: [], hasMigrationsTable: true, history: null });
});
