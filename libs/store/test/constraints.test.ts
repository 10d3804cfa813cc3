import type { Trade } from '@stockbroker/trading';
import { beforeAll, expect, test } from 'vitest';
import { settleTrades } from '../src/settleTrades.ts';
import { fill, openBank, order, rejection } from './bank.ts';

const bank = await openBank();
const { db } = bank;

type State = 'placed' | 'executed' | 'filled' | 'rejected';
let trades: Record<State, Trade>;
beforeAll(async () => {
  const place = async () => {
    const [trade] = await bank.places(order(await bank.account({ amount: 10_000_000n, shares: 5n })));
    if (trade === undefined) throw new Error('not placed');
    return trade;
  };
  const execute = async () => {
    const [trade] = await bank.executes(100_000n, await place());
    if (trade === undefined) throw new Error('not executed');
    return trade;
  };
  trades = { placed: await place(), executed: await execute(), filled: await execute(), rejected: await execute() };
  await settleTrades(db, [fill(trades.filled, 100_000n), rejection(trades.rejected)]);
});

/** Runs SQL that must fail, in which :id is the trade's and :customer its customer's. */
async function refused(state: State, sql: string): Promise<string> {
  const { id, customerId } = trades[state];
  const before = await db.trade.findMany({ orderBy: { seq: 'asc' } });
  const text = sql.replaceAll(':id', `'${id}'`).replaceAll(':customer', `'${customerId}'`);
  const error = await db.$executeRawUnsafe(text).then(
    () => undefined,
    (reason: Error) => reason.message,
  );
  expect(await db.trade.findMany({ orderBy: { seq: 'asc' } })).toEqual(before);
  return error ?? 'accepted';
}

const EXECUTED = `status = 'executed', limit_price = 1, hold = 1, submitted_at = now()`;
const FILLED = `status = 'filled', price = 1, execution_id = 'x', executed_at = now()`;
const REJECTED = `status = 'rejected', reject_code = 'HALTED', reason = 'x'`;

test.each<[State, string]>([
  [
    'placed',
    `status = 'filled', limit_price = 1, hold = 1, submitted_at = now(), price = 1, execution_id = 'x', executed_at = now()`,
  ],
  ['placed', `reason = 'still placed'`],
  ['executed', `status = 'placed', limit_price = NULL, hold = NULL, submitted_at = NULL`],
  ['executed', 'hold = 0'],
  ['filled', FILLED.replace('price = 1', 'price = 2')],
  ['filled', `status = 'placed'`],
  ['filled', REJECTED],
  ['filled', 'price = 2'],
  ['rejected', FILLED],
  ['rejected', EXECUTED],
  ['rejected', `reason = 'another'`],
])('a trade that is %s cannot SET %s', async (state, change) => {
  const trigger = state === 'placed' || state === 'executed' ? 'trades_transition' : 'trades_final_is_final';
  expect(await refused(state, `UPDATE trades SET ${change} WHERE id = :id`)).toContain(trigger);
});

test.each<State>(['placed', 'executed', 'filled', 'rejected'])('a trade that is %s cannot be deleted', async (state) => {
  expect(await refused(state, 'DELETE FROM trades WHERE id = :id')).toContain('trades_never_deleted');
});

test.each([
  `id = gen_random_uuid()`,
  `customer_id = gen_random_uuid()`,
  'seq = seq + 1',
  'partition = (partition + 1) % 100',
  `client_order_id = 'another'`,
  `stock_ticker = 'MSFT'`,
  `type = 'sell'`,
  'quantity = quantity + 1',
  `created_at = created_at - interval '1 day'`,
])('what was ordered cannot change with a status: %s', async (change) => {
  expect(await refused('placed', `UPDATE trades SET ${EXECUTED}, ${change} WHERE id = :id`)).toContain('trades_order_is_fixed');
});

test.each<[State, string, string]>([
  ['placed', EXECUTED.replace('limit_price = 1', 'limit_price = NULL'), 'trades_status_complete'],
  ['placed', EXECUTED.replace('submitted_at = now()', 'submitted_at = NULL'), 'trades_status_complete'],
  ['placed', `${EXECUTED}, price = 1`, 'trades_status_complete'],
  ['placed', REJECTED.replace("'x'", 'NULL'), 'trades_status_complete'],
  ['placed', EXECUTED.replace('limit_price = 1', 'limit_price = 0'), 'trades_money_positive'],
  ['placed', EXECUTED.replace('hold = 1', 'hold = -1'), 'trades_money_positive'],
  ['executed', FILLED.replace('price = 1', 'price = 0'), 'trades_money_positive'],
  ['executed', FILLED.replace("'x'", 'NULL'), 'trades_status_complete'],
  ['executed', `${REJECTED}, price = 1`, 'trades_status_complete'],
])('a trade that is %s cannot become incomplete or worthless: SET %s', async (state, change, constraint) => {
  expect(await refused(state, `UPDATE trades SET ${change} WHERE id = :id`)).toContain(constraint);
});

const INSERT = 'INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity)';

test.each([
  ['no quantity', `${INSERT} VALUES (gen_random_uuid(), :customer, 1, 'q', 'AAPL', 'buy', 0)`, 'trades_quantity_positive'],
  [
    'too large a quantity',
    `${INSERT} VALUES (gen_random_uuid(), :customer, 1, 'q', 'AAPL', 'buy', 1000001)`,
    'trades_quantity_positive',
  ],
  ['the id of another', `${INSERT} VALUES (:id, :customer, 1, 'q', 'AAPL', 'buy', 1)`, '23505'],
  [
    'a client_order_id that the customer has used',
    `${INSERT} SELECT gen_random_uuid(), customer_id, 1, client_order_id, 'AAPL', 'buy', 1 FROM trades WHERE id = :id`,
    '23505',
  ],
  ['an unknown type', `${INSERT} VALUES (gen_random_uuid(), :customer, 1, 'q', 'AAPL', 'short', 1)`, 'trade_type'],
])('a trade with %s cannot be stored', async (_what, sql, constraint) => {
  expect(await refused('placed', sql)).toContain(constraint);
});

test.each([
  ['a hold above the cash', 'UPDATE balances SET held = amount + 1 WHERE customer_id = :customer', 'a hold of'],
  ['a negative hold', 'UPDATE balances SET held = -1 WHERE customer_id = :customer', 'balances_held_not_negative'],
  [
    'more shares held than owned',
    'UPDATE positions SET held = quantity + 1 WHERE customer_id = :customer',
    'positions_held_owned',
  ],
  ['a negative hold of shares', 'UPDATE positions SET held = -1 WHERE customer_id = :customer', 'positions_held_owned'],
  ['fewer shares than are held', 'UPDATE positions SET quantity = -1 WHERE customer_id = :customer', 'positions_held_owned'],
])('an account cannot have %s', async (_what, sql, constraint) => {
  expect(await refused('placed', sql)).toContain(constraint);
});

test('cash may fall below what is held, which a fill above its hold can cause, but no further hold may be taken then', async () => {
  const customerId = await bank.account({ amount: 100n });
  const update = (change: string) => db.$executeRawUnsafe(`UPDATE balances SET ${change} WHERE customer_id = '${customerId}'`);
  await update('held = 100');
  await update('amount = -50');
  await expect(update('held = 101')).rejects.toThrow('a hold of 101 is more than the cash of -50');
  await update('held = 50');
  expect(await bank.balance(customerId)).toMatchObject({ amount: -50n, held: 50n });
});
