import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseUsd as usd } from '@stockbroker/trading';
import { beforeAll, expect, test } from 'vitest';
import { MIGRATIONS_DIR } from '../src/migrationFiles.ts';
import { checkAccounts, countStuckTrades, listQuarantine, readStuckTrades, readTradesOfDay } from '../src/operate/index.ts';
import { quarantineCallbacks } from '../src/quarantineCallbacks.ts';
import { readHealth } from '../src/readHealth.ts';
import { settleTrades } from '../src/settleTrades.ts';
import { type Bank, fill, openBank, order } from './bank.ts';

let bank: Bank;
beforeAll(async () => {
  bank = await openBank();
});

test('health: nothing open, nothing set aside, no standby', async () => {
  const bare = await openBank();
  expect(await readHealth(bare.db)).toEqual({
    oldestOpenSeconds: 0,
    unresolvedCallbacks: 0,
    synchronousStandbys: 0,
    replayLagBytes: 0,
  });
});

test('stuck trades: those open for long enough, oldest first, with what is before each and what was set aside about it', async () => {
  const customerId = await bank.opens();
  const [first, second, third] = await bank.places(order(customerId), order(customerId), order(customerId));
  if (first === undefined || second === undefined || third === undefined) throw new Error('not placed');
  await bank.executes(usd('10.00'), first);
  await quarantineCallbacks(bank.db, [{ tradeId: first.id, why: 'test', raw: Buffer.from('{}') }]);
  const mine = async (limit: number) =>
    (await readStuckTrades(bank.db, { olderThanMs: 0, limit })).filter((trade) => trade.customerId === customerId);
  const [row] = await listQuarantine(bank.db, { all: false, after: 0n, limit: 10 });
  expect(await mine(100)).toMatchObject([
    { id: first.id, status: 'executed', behind: null, quarantineId: row?.id },
    { id: second.id, status: 'placed', behind: first.id, quarantineId: null },
    { id: third.id, status: 'placed', behind: first.id },
  ]);
  expect(await readStuckTrades(bank.db, { olderThanMs: 0, limit: 2 })).toHaveLength(2);
  expect(await readStuckTrades(bank.db, { olderThanMs: 3_600_000, limit: 2 })).toEqual([]);
  expect(await countStuckTrades(bank.db, { olderThanMs: 0 })).toMatchObject([
    { status: 'placed', behind: true, count: 2n },
    { status: 'executed', behind: false, count: 1n },
  ]);
  const health = await readHealth(bank.db);
  expect(health).toMatchObject({ unresolvedCallbacks: 1, synchronousStandbys: 0 });
  expect(health.oldestOpenSeconds).toBeGreaterThan(0);
  await settleTrades(bank.db, [fill(first, usd('10.00'))]);
});

test('trades of a day: each of the range once, in order of id, whatever the size of the pages', async () => {
  const customerId = await bank.opens();
  const idAt = (time: string, number: number) => `${time}-0000-7000-8000-${String(number).padStart(12, '0')}`;
  const ids = Array.from({ length: 7 }, (_, i) => idAt('02222222', i));
  const all = [idAt('02222221', 0), ...ids, idAt('02222223', 0)];
  await bank.places(...all.toReversed().map((id) => order(customerId, { id })));
  const read = async (from: string, before: string | null, pageSize: number) => {
    const trades = await Array.fromAsync(readTradesOfDay(bank.db, { from, before }, pageSize));
    return trades.map(({ id }) => id).filter((id) => id.startsWith('0222222'));
  };
  for (const pageSize of [1, 2, 7, 8, 1_000]) {
    expect(await read(idAt('02222222', 0), idAt('02222223', 0), pageSize)).toEqual(ids);
  }
  expect(await read('00000000-0000-0000-0000-000000000000', null, 3)).toEqual(all);
});

test('the migration gives accounts that exist already what their fills do not explain, and the books are exact', async () => {
  const old = await openBank();
  const customerId = await old.account({ amount: usd('500.00'), shares: 20n });
  const [bought] = await old.places(order(customerId, { quantity: 3 }));
  if (bought === undefined) throw new Error('not placed');
  await old.executes(usd('10.00'), bought);
  await settleTrades(old.db, [fill(bought, usd('9.00'))]);
  const findings = async () => (await Array.fromAsync(checkAccounts(old.db))).flatMap((page) => page.findings);
  expect((await findings()).map(({ what }) => what)).toEqual(['cash', 'shares']);
  const sql = readFileSync(join(MIGRATIONS_DIR, '20261123000000_operating', 'migration.sql'), 'utf8');
  for (const [statement] of sql.matchAll(/^INSERT INTO "account_entries"[^;]*;/gm)) await old.db.$executeRawUnsafe(statement);
  expect(await findings()).toEqual([]);
  expect(
    await old.db.accountEntry.findMany({ orderBy: { id: 'asc' }, select: { stockTicker: true, amount: true, why: true } }),
  ).toEqual([
    { stockTicker: null, amount: usd('500.00'), why: 'baseline' },
    { stockTicker: 'AAPL', amount: 20n, why: 'baseline' },
  ]);
});
