import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MIGRATIONS_DIR } from '../src/migrationFiles.ts';
import { checkAccounts } from '../src/operate/index.ts';
import { settleTrades } from '../src/settleTrades.ts';
import { fill, openBank, openTransaction, order } from './bank.ts';

const { db, url, ...bank } = await openBank();
const MIGRATION = readFileSync(`${MIGRATIONS_DIR}/20261129300000_executions/migration.sql`, 'utf8');

test('upgrade: the fills of before are entered; an id that two have is the one’s that was placed first, and books names the other', async () => {
  const trades = [];
  for (let i = 0; i < 4; i += 1) {
    const customerId = await bank.account({ amount: 10_000_000n });
    trades.push(...(await bank.executes(10_000n, ...(await bank.places(order(customerId))))));
  }
  const [first, second, third, open] = trades;
  if (first === undefined || second === undefined || third === undefined || open === undefined) throw new Error('not executed');
  await settleTrades(db, [fill(first, 10_000n), fill(second, 10_000n), fill(third, 10_000n)]);
  // As the version before left it.
  await db.$executeRawUnsafe('DROP TABLE executions');
  await db.$executeRawUnsafe('ALTER TABLE callback_quarantine DROP COLUMN booked');
  const { commit } = await openTransaction(url, async (tx) => {
    await tx.query`SET LOCAL session_replication_role = replica`;
    await tx.query`UPDATE trades SET execution_id = ${`fill-${first.id}`} WHERE id = ${second.id}::uuid`;
  });
  await commit();
  for (const statement of MIGRATION.replaceAll(/^--.*$/gm, '').split(';')) {
    // Each by itself, and the lock within a transaction of its own.
    if (statement.trim() !== '' && !statement.includes('LOCK TABLE')) await db.$executeRawUnsafe(statement);
  }

  const entered = await db.execution.findMany({ orderBy: { executionId: 'asc' } });
  expect(entered).toEqual(
    [first, third]
      .map(({ id }) => ({ executionId: `fill-${id}`, tradeId: id }))
      .sort((a, b) => (a.executionId < b.executionId ? -1 : 1)),
  );
  const findings = (await Array.fromAsync(checkAccounts(db))).flatMap((page) => page.findings);
  expect(findings.map(({ what, subject }) => ({ what, subject })).filter(({ what }) => what === 'execution')).toEqual([
    { what: 'execution', subject: second.id },
  ]);
  const repeated = fill(open, 10_000n, { outcome: { ...fill(third, 10_000n).outcome } });
  expect(await settleTrades(db, [repeated])).toEqual([null]);
  expect(await settleTrades(db, [fill(open, 10_000n)])).toMatchObject([{ trade: { id: open.id } }]);
});
