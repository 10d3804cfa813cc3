import { randomUUID } from 'node:crypto';
import { parseUsd as usd } from '@stockbroker/trading';
import { beforeAll, expect, test } from 'vitest';
import { checkAccounts, checkOpenTrades } from '../src/operate/index.ts';
import { settleTrades } from '../src/settleTrades.ts';
import { type Bank, fill, openBank, order, rejection } from './bank.ts';

let bank: Bank;
beforeAll(async () => {
  bank = await openBank();
});

/** A customer with a filled buy, a rejected one, an open buy, an open sell and a placed trade. */
async function trader(): Promise<string> {
  const customerId = await bank.opens();
  const buys = await bank.places(order(customerId), order(customerId), order(customerId), order(customerId, { type: 'sell' }));
  const [filled, rejected] = buys;
  if (filled === undefined || rejected === undefined) throw new Error('not placed');
  for (const trade of buys.slice(0, 2)) {
    await bank.executes(usd('10.00'), trade);
    await settleTrades(bank.db, [trade === filled ? fill(trade, usd('9.50')) : rejection(trade)]);
  }
  await bank.executes(usd('10.00'), ...buys.slice(2, 3));
  return customerId;
}

const findings = (pageSize?: number) => findingsOf(bank.db, pageSize);

test('books: openings, fills, rejections and open trades add up, whatever the size of the pages', async () => {
  for (let i = 0; i < 7; i += 1) await trader();
  expect(await findings()).toEqual([]);
  const pages = await Array.fromAsync(checkAccounts(bank.db, 2));
  expect(pages.length).toBeGreaterThanOrEqual(4);
  expect(pages.every(({ customers }) => customers <= 2)).toBe(true);
  expect(pages.reduce((sum, { customers }) => sum + customers, 0)).toBe(await bank.db.balance.count());
  expect((await Array.fromAsync(checkOpenTrades(bank.db, 3))).reduce((sum, { rows }) => sum + rows, 0)).toBe(14);
  expect(await findings(2)).toEqual([]);
});

test.each([
  { wrong: 'cash more', sql: 'UPDATE balances SET amount = amount + 1', what: 'cash', actual: '9905001', expected: '9905000' },
  {
    wrong: 'cash held for nothing',
    sql: 'UPDATE balances SET held = held + 5',
    what: 'held',
    actual: '100005',
    expected: '100000',
  },
  { wrong: 'a share more', sql: 'UPDATE positions SET quantity = quantity + 1', what: 'shares', actual: '52', expected: '51' },
  {
    wrong: 'shares held for nothing',
    sql: 'UPDATE positions SET held = held + 2',
    what: 'shares-held',
    actual: '2',
    expected: '0',
  },
  {
    wrong: 'an open trade not listed',
    sql: 'DELETE FROM open_trades',
    what: 'not-listed',
    actual: 'executed',
    expected: 'a row in open_trades',
  },
])('books: $wrong is found', async ({ sql, what, actual, expected }) => {
  const customerId = await trader();
  await undoing(async (tx) => {
    await tx.$executeRawUnsafe(`${sql} WHERE customer_id = '${customerId}'`);
    const found = await findingsOf(tx, 3);
    expect(found).toContainEqual(expect.objectContaining({ customerId, what, actual, expected }));
    expect(new Set(found.map((finding) => finding.what))).toEqual(new Set([what]));
  });
});

test('books: a balance below zero is found, unless the buys are blocked', async () => {
  const customerId = await bank.opens();
  await undoing(async (tx) => {
    await tx.$executeRawUnsafe(`UPDATE balances SET amount = -1 WHERE customer_id = '${customerId}'`);
    await tx.$executeRawUnsafe(
      `INSERT INTO account_entries (customer_id, amount, why) VALUES ('${customerId}', ${-usd('1000.00') - 1n}, 'test')`,
    );
    expect(await findingsOf(tx)).toEqual([{ customerId, what: 'negative', subject: null, actual: '-1', expected: '0' }]);
    await tx.$executeRawUnsafe(`UPDATE balances SET buys_blocked = true WHERE customer_id = '${customerId}'`);
    expect(await findingsOf(tx)).toEqual([]);
  });
});

test('books: a row of an ended trade among the open ones is found; so is an account nobody opened', async () => {
  const customerId = await trader();
  await undoing(async (tx) => {
    const ended = await tx.trade.findFirstOrThrow({ where: { customerId, status: 'filled' } });
    const { partition, seq, id: tradeId } = ended;
    await tx.openTrade.create({ data: { partition, customerId, seq, tradeId } });
    const stranger = randomUUID();
    await tx.balance.create({ data: { customerId: stranger, amount: 7n } });
    expect(await findingsOf(tx)).toEqual([
      { customerId: stranger, what: 'cash', subject: null, actual: '7', expected: '0' },
      { customerId, what: 'stray', subject: tradeId, actual: 'filled', expected: 'placed or executed' },
    ]);
  });
});

test('executions are added to, never changed', async () => {
  await trader();
  await expect(bank.db.$executeRawUnsafe('UPDATE executions SET trade_id = gen_random_uuid()')).rejects.toThrow('never changed');
  await expect(bank.db.$executeRawUnsafe('DELETE FROM executions')).rejects.toThrow('never changed');
});

test('account entries are added to, never changed', async () => {
  const customerId = await bank.opens();
  const change = (sql: string) => bank.db.$executeRawUnsafe(`${sql} WHERE customer_id = '${customerId}'`);
  await expect(change('UPDATE account_entries SET amount = 1')).rejects.toThrow('never changed');
  await expect(change('DELETE FROM account_entries')).rejects.toThrow('never changed');
});

test('books: a fill whose execution is another trade’s, or nobody’s, is found', async () => {
  const [one, two] = [await trader(), await trader()];
  await undoing(async (tx) => {
    const [first, second] = await Promise.all(
      [one, two].map((customerId) => tx.trade.findFirstOrThrow({ where: { customerId, status: 'filled' } })),
    );
    await tx.$executeRawUnsafe('ALTER TABLE executions DISABLE TRIGGER executions_fixed');
    await tx.$executeRawUnsafe(`DELETE FROM executions WHERE trade_id = '${first?.id}'`);
    await tx.$executeRawUnsafe(`UPDATE executions SET trade_id = gen_random_uuid() WHERE trade_id = '${second?.id}'`);
    const found = (await findingsOf(tx)).map(({ what, subject }) => ({ what, subject }));
    expect(new Set(found)).toEqual(new Set([first, second].map((trade) => ({ what: 'execution', subject: trade?.id }))));
  });
});

class Undo extends Error {}

/** What is done to the books in it is undone. The deadlines are for a busy machine. */
async function undoing(act: (tx: Bank['db']) => Promise<void>): Promise<void> {
  const run = bank.db.$transaction(
    async (tx) => {
      await act(tx as unknown as Bank['db']);
      throw new Undo();
    },
    { timeout: 60_000, maxWait: 60_000 },
  );
  await expect(run).rejects.toThrow(Undo);
}

async function findingsOf(db: Bank['db'], pageSize = 500) {
  const pages = await Array.fromAsync(checkAccounts(db, pageSize));
  const open = await Array.fromAsync(checkOpenTrades(db, pageSize));
  return [...pages.flatMap((page) => page.findings), ...open.flatMap((page) => page.findings)];
}
