import { randomUUID } from 'node:crypto';
import { openDatabase } from '@stockbroker/store/database';
import { checkAccounts } from '@stockbroker/store/operate';
import { createDatabase, dropDatabase } from '@stockbroker/testkit';
import { PATIENCE } from '@stockbroker/testkit/patience';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { explainHotStatements } from '../../tools/bench/large/explainHotStatements.ts';
import { fillLarge } from '../../tools/bench/large/fillLarge.ts';
import { tradeSize } from '../../tools/bench/large/tradeSize.ts';
import { cloneDatabase } from '../support/database.ts';

const CUSTOMERS = 3_000;
const TRADES_OF_EACH = 3;
const name = `large-${randomUUID()}`;
let url: string;

beforeAll(async () => {
  url = await createDatabase(inject('postgresUrl'), name);
  await fillLarge({ databaseUrl: url, customers: CUSTOMERS, tradesOfEach: TRADES_OF_EACH });
}, 60_000 * PATIENCE);

afterAll(() => dropDatabase(inject('postgresUrl'), name));

test('the books of customers with old trades are exact, before and after the hot statements traded for some', async () => {
  expect(await findings()).toEqual([]);
  const explained = await explainHotStatements(url, 16);
  const statements = explained.map(({ statement }) => statement);
  for (const hot of [
    'insertTrades',
    'readOldestOpenTrades',
    'markTradesExecuted',
    'settleTrades',
    'readChanges',
    'readSnapshots',
  ])
    expect(statements).toContain(hot);
  for (const { plan, pages } of explained) {
    expect(plan[0]).toMatch(/actual rows/);
    expect(pages).toBeGreaterThan(0);
  }
  expect(await findings()).toEqual([]);
});

test('trades are numbered as if each had gone its way', async () => {
  const rows =
    await query(`SELECT count(*)::int AS trades, count(*) FILTER (WHERE placed_revision <> 3 * (rank - 1) + 1)::int AS wrong,
      count(*) FILTER (WHERE id <= earlier_id OR created_at <= earlier_at)::int AS unordered
    FROM (SELECT *, row_number() OVER by_customer AS rank, lag(id) OVER by_customer AS earlier_id, lag(created_at) OVER by_customer AS earlier_at
      FROM trades WHERE created_at < now() - interval '1 hour' WINDOW by_customer AS (PARTITION BY customer_id ORDER BY seq)) AS t`);
  expect(rows).toEqual([{ trades: CUSTOMERS * TRADES_OF_EACH, wrong: 0, unordered: 0 }]);
});

test('the database has the indexes and rules that migrations make', async () => {
  const rules = `SELECT indexdef AS rule FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`;
  const migrated = await cloneDatabase();
  expect(await query(rules)).toEqual(await query(rules, migrated));
});

test('a trade takes the bytes of its row and of each index', async () => {
  const { trades, heap, indexes, all } = await tradeSize(url);
  expect(trades).toBeGreaterThanOrEqual(CUSTOMERS * TRADES_OF_EACH);
  expect(heap).toBeGreaterThan(100);
  expect(Object.keys(indexes)).toContain('trades_pkey');
  expect(all).toBeCloseTo(heap + Object.values(indexes).reduce((sum, bytes) => sum + bytes, 0));
});

async function findings() {
  const db = openDatabase({ url, poolSize: 1, statementTimeoutMs: 60_000, onConnectionError: () => {} });
  const found = [];
  let customers = 0;
  for await (const page of checkAccounts(db, 2_000)) {
    customers += page.customers;
    found.push(...page.findings);
  }
  await db.$disconnect();
  expect(customers).toBe(CUSTOMERS);
  return found;
}

async function query(sql: string, at = url): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: at });
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows;
}
