import { partitionOf } from '@stockbroker/trading';
import { beforeAll, expect, test } from 'vitest';
import { cancelTrades } from '../src/cancelTrades.ts';
import { insertTrades } from '../src/insertTrades.ts';
import { listTrades } from '../src/listTrades.ts';
import { markTradesExecuted } from '../src/markTradesExecuted.ts';
import { readChanges } from '../src/readChanges.ts';
import { readOldestOpenTrades } from '../src/readOldestOpenTrades.ts';
import { readOpenCustomers } from '../src/readOpenCustomers.ts';
import { readSnapshots } from '../src/readSnapshots.ts';
import { settleTrades } from '../src/settleTrades.ts';
import type { Queries } from '../src/statement.ts';
import { fill, mark, openBank, order } from './bank.ts';
import { explainStatements } from './explain.ts';

/*
 * One customer has 300,000 old trades, another one has 300,000 that wait for the open: many times what is allowed, as an import may
 * leave them. Each statement looks at so many pages of theirs and no more, and finds what others have.
 */
const bank = await openBank();
const { db } = bank;
const explained = await explainStatements(bank.url);
const MANY = 300_000;

interface Customer {
  customerId: string;
  partition: number;
}
let old: Customer;
let queued: Customer;
/** Of the same partition as `queued`, with one open trade. */
let other: Customer;

beforeAll(async () => {
  const open = async () => {
    const customerId = await bank.account({ amount: 10n ** 12n });
    return { customerId, partition: partitionOf(customerId, 100) };
  };
  [old, queued] = [await open(), await open()];
  other = { customerId: await bank.account({ amount: 10n ** 12n }), partition: queued.partition };
  await db.$executeRaw`
    INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, status, reject_code, reason, placed_revision, final_revision)
    SELECT gen_random_uuid(), ${old.customerId}::uuid, ${old.partition}, i, 'AAPL', 'buy', 1, 'rejected', 'NO_QUOTE', 'x', i * 2 - 1, i * 2
    FROM generate_series(1, ${MANY}::int) AS i`;
  await db.$executeRaw`
    WITH trade AS (
      INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, queue_for_open, placed_revision)
      SELECT gen_random_uuid(), ${queued.customerId}::uuid, ${queued.partition}, i, 'AAPL', 'buy', 1, true, i
      FROM generate_series(1, ${MANY}::int) AS i RETURNING *
    )
    INSERT INTO open_trades (partition, customer_id, seq, trade_id, waits_for_open) SELECT partition, customer_id, seq, id, true FROM trade`;
  await db.$executeRaw`UPDATE balances SET revision = ${2 * MANY} WHERE customer_id = ${old.customerId}::uuid`;
  await db.$executeRaw`UPDATE balances SET revision = ${MANY} WHERE customer_id = ${queued.customerId}::uuid`;
  await bank.places(order(other.customerId, { partition: other.partition }), order(old.customerId));
  return explained.close;
}, 120_000);

const everybody = () => [old, queued, other];
const list = (statuses: Parameters<typeof listTrades>[1][number]['statuses']) => (db: Queries) =>
  listTrades(
    db,
    everybody().map((customer) => ({ ...customer, before: null, statuses, limit: 51 })),
  );
const tradesOf = async ({ customerId }: Customer, of: 'first' | 'last') => {
  const [found] = await db.trade.findMany({ where: { customerId }, orderBy: { seq: of === 'first' ? 'asc' : 'desc' }, take: 1 });
  if (found === undefined) throw new Error('no trade');
  return found;
};

/** Pages that each may look at, of some 20,000 that the customers' trades fill. */
test.each<[string, number, (db: Queries) => Promise<unknown>]>([
  ['lists of the newest', 500, list([])],
  ['lists of one status that nothing has', 4_000, list(['filled'])],
  ['lists of those open', 6_000, list(['executed'])],
  [
    'oldest open trades',
    50,
    (on) =>
      readOldestOpenTrades(
        on,
        everybody().map((each) => ({ ...each, waiting: 'counted' })),
      ),
  ],
  [
    'oldest open trades outside the session',
    2_000,
    (on) =>
      readOldestOpenTrades(
        on,
        everybody().map((each) => ({ ...each, waiting: 'passed' })),
      ),
  ],
  [
    'a sweep',
    4_000,
    (on) =>
      readOpenCustomers(on, [
        { partition: queued.partition, limit: 2_000, waiting: 'counted' },
        { partition: queued.partition, limit: 2_000, waiting: 'passed' },
      ]),
  ],
  ['snapshots', 8_000, (on) => readSnapshots(on, everybody())],
  [
    'changes',
    16_000,
    (on) =>
      readChanges(on, [
        { customerId: old.customerId, revision: 2 * MANY - 2_000 },
        { customerId: queued.customerId, revision: MANY - 900 },
        { customerId: other.customerId, revision: 0 },
      ]),
  ],
  [
    'placing',
    200,
    (on) =>
      insertTrades(
        on,
        everybody().map(({ customerId }) => order(customerId)),
      ),
  ],
  [
    'canceling',
    200,
    async (on) => cancelTrades(on, [{ customerId: queued.customerId, tradeId: (await tradesOf(queued, 'last')).id }]),
  ],
  ['marking the oldest', 200, async (on) => markTradesExecuted(on, [mark(await tradesOf(queued, 'first'), 0n)])],
  [
    'refusing the newest, too late for the session',
    2_000,
    async (on) => markTradesExecuted(on, [mark(await tradesOf(queued, 'last'), 0n, { refusal: { code: 'MARKET_CLOSED' } })]),
  ],
  ['settling', 200, async (on) => settleTrades(on, [fill(await tradesOf(other, 'first'), 1n)])],
])('bounded work beside customers with 300,000 trades: %s', async (_what, pages, run) => {
  const runs = await explained.undone(run);
  expect(runs.flatMap(({ scans }) => scans.filter(({ how }) => how.startsWith('Seq Scan')))).toEqual([]);
  const looked = runs.reduce((sum, each) => sum + each.pages, 0);
  expect(looked).toBeGreaterThan(0);
  expect(looked).toBeLessThan(pages);
});

test('a sweep finds the customers beside and behind one with 300,000 trades, those with the oldest first', async () => {
  const { partition } = queued;
  const read = (waiting: 'counted' | 'passed', limit = 10) => readOpenCustomers(db, [{ partition, limit, waiting }]);
  expect(await read('counted')).toEqual([[queued.customerId, other.customerId]]);
  expect(await read('counted', 1)).toEqual([[queued.customerId]]);
  expect(await read('passed')).toEqual([[other.customerId]]);
});

test('a list of one status is gone through in steps, and in the end has all', async () => {
  const wanted = (await tradesOf(old, 'last')).id; // The one that is placed.
  const found: string[] = [];
  let steps = 0;
  for (let before: bigint | null = null; ; steps += 1) {
    const [page] = await listTrades(db, [{ ...old, before, statuses: ['placed', 'filled'], limit: 51 }]);
    found.push(...(page?.trades ?? []).map(({ id }) => id));
    before = page?.next ?? null;
    if (before === null) break;
  }
  expect(found).toEqual([wanted]);
  expect(steps).toBe(MANY / 1_000);
  const [open] = await listTrades(db, [{ ...old, before: null, statuses: ['placed'], limit: 51 }]);
  expect(open).toMatchObject({ trades: [{ id: wanted }], next: null });
});
