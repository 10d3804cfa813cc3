import { randomUUID } from 'node:crypto';
import { openAccounts } from '@stockbroker/store';
import { type Database, openDatabase } from '@stockbroker/store/database';
import { createDatabase } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { actions } from '../../tools/ops/actions.ts';
import { blocked, unblock } from '../../tools/ops/blocked.ts';
import { books } from '../../tools/ops/books.ts';
import { drain } from '../../tools/ops/drain.ts';
import { leases } from '../../tools/ops/leases.ts';
import { quarantine } from '../../tools/ops/quarantine.ts';
import { reconcile } from '../../tools/ops/reconcile.ts';
import { stuck } from '../../tools/ops/stuck.ts';
import { cloneDatabase } from '../support/database.ts';
import { ops, opsTable } from './ops.ts';

let env: { DATABASE_URL: string };
let db: Database;
const customers = Array.from({ length: 7 }, () => randomUUID()).sort();
beforeAll(async () => {
  env = { DATABASE_URL: await cloneDatabase() };
  db = openDatabase({ url: env.DATABASE_URL, poolSize: 1, statementTimeoutMs: 10_000, onConnectionError: () => {} });
  await openAccounts(
    db,
    customers.map((customerId) => ({ customerId, cash: usd('100.00'), shares: { AAPL: 5 } })),
  );
});
afterAll(() => db.$disconnect());

test('books: exact ones need no attention', async () => {
  expect(await ops(env, 'books', '--page', '2')).toMatchObject({
    code: 0,
    json: { command: 'books', attention: false, customers: 7, openTrades: 0, findings: 0, listed: [] },
  });
});

test('books: what is wrong is listed with what it should be, on whatever page it stands; the rest is counted', async () => {
  const [first, , , , , , last] = customers;
  await db.balance.update({ where: { customerId: last ?? '' }, data: { amount: usd('100.0001') } });
  await db.position.updateMany({ where: { customerId: first ?? '' }, data: { quantity: 6n } });
  const found = await ops(env, 'books', '--page', '2', '--limit', '1');
  expect(found).toMatchObject({
    code: 1,
    json: {
      attention: true,
      customers: 7,
      findings: 2,
      listed: [{ customerId: first, what: 'shares', subject: 'AAPL', actual: '6', expected: '5' }],
    },
  });
  const { code, stdout } = await opsTable(env, 'books');
  expect(code).toBe(1);
  expect(stdout).toContain('2 findings in 7 customers and 0 open trades.');
  expect(stdout).toMatch(new RegExp(`${last} +cash is not entries and fills +cash +100.0001 +100.0000`));
});

test('what cannot be found out is exit code 3, and says what to do', async () => {
  const nothing = await ops({ STOCKBROKER_DATA_DIR: '/nonexistent/stockbroker' }, 'books');
  expect(nothing).toMatchObject({ code: 3, json: null });
  expect(nothing.stderr).toContain('Nothing runs here: npm start, or set DATABASE_URL');
  const empty = await createDatabase(inject('postgresUrl'), `test-${randomUUID()}`);
  expect(await ops({ DATABASE_URL: empty }, 'books')).toMatchObject({
    code: 3,
    stderr: 'The database has not all tables yet: npm run db:migrate\n',
  });
  const away = await ops({ DATABASE_URL: 'postgresql://me:secret@127.0.0.1:1/db' }, 'books');
  expect(away).toMatchObject({ code: 3, json: null });
  expect(away.stderr).toContain('The database postgresql://me@127.0.0.1:1/db does not answer');
  expect(away.stderr).not.toContain('secret');
  const partly = await ops(env, 'leases');
  expect(partly).toMatchObject({ code: 3, stderr: 'This needs NATS_URL: the environment names other servers, but not these.\n' });
});

test.each([
  { args: [], says: 'Say what to do: stuck, leases' },
  { args: ['look'], says: 'There is no command "look"' },
  { args: ['books', 'now'], says: 'books takes no "now"' },
  { args: ['books', '--pages', '2'], says: "Unknown option '--pages'" },
  { args: ['stuck', '--older-than', '30'], says: '--older-than must be like 500ms, 30s' },
  { args: ['reconcile', '--day', '2026-02-30'], says: '--day must be like 2026-11-22' },
  { args: ['quarantine'], says: 'Usage: npm run ops -- quarantine list' },
  { args: ['quarantine', 'resolve', '1'], says: '--note must say why' },
  { args: ['unblock', 'alice', '--note', 'x'], says: 'A customer is a UUID' },
  { args: ['drain'], says: 'Usage: npm run ops -- drain <worker>' },
])('wrong usage is exit code 2: ops $args', async ({ args, says }) => {
  const { code, json, stderr } = await ops({ DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/x' }, ...args);
  expect({ code, json }).toEqual({ code: 2, json: null });
  expect(stderr).toContain(says);
  expect(stderr).not.toMatch(/^ +at /m);
});

test('every command has help that says what it does, and its exit codes', async () => {
  const { code, stdout, stderr } = await opsTable({}, '--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^npm run ops: .*Exit code: 0/s);
  const commands = [actions, blocked, books, drain, leases, quarantine, reconcile, stuck, unblock];
  for (const { help } of commands) expect(help).toMatch(/^npm run ops -- [a-z]+.*: .*--json.*\nExit code: 0/s);
  for (const { help } of commands) expect(stdout).toContain(/^npm run ops -- [a-z]+/.exec(help)?.[0]);
  expect((await opsTable({}, 'drain', '--help')).stdout).toBe(drain.help);
});
