import { Status } from '@stockbroker/rpc';
import { TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
import type { Broker, Customer } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

const MAX_OPEN = 5;
let broker: Broker;
let databaseUrl: string;
beforeAll(async () => {
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { gateway: { MAX_OPEN_TRADES: String(MAX_OPEN), GATEWAY_PATIENCE_MS: '60000' } },
  });
  databaseUrl = broker.databaseUrl;
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

/** As an operator's open transaction, or a job that hangs. @returns what ends it */
async function lockFromOutside(statement: string, ...values: unknown[]): Promise<() => Promise<void>> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  await client.query('BEGIN');
  await client.query(statement, values);
  return async () => {
    await client.query('COMMIT');
    await client.end();
  };
}

const lockBalance = (of: Customer) => lockFromOutside('SELECT FROM balances WHERE customer_id = $1 FOR UPDATE', of.id);

/** Three trades, one after the other. */
async function tradesThrice(customer: Customer): Promise<void> {
  for (let i = 0; i < 3; i += 1) {
    const trade = await customer.buys(1, 'AAPL');
    await broker.exchange.fills(trade, { price: usd('10.00') });
  }
}

test('one locked balance: all others trade on while it is locked, and its customer trades when it is free', async () => {
  const customers = await broker.customers(20, { cash: usd('1000.00') });
  const [locked, ...others] = customers as [Customer, ...Customer[]];
  const open = await locked.buys(1, 'AAPL');
  await broker.exchange.receives(open);
  const unlock = await lockBalance(locked);
  // Waits in the gateway, and the fill is reported again and again.
  const placing = locked.buys(1, 'AAPL', { clientOrderId: 'waits' });
  const filling = broker.exchange.fills(open, { price: usd('10.00') });
  await Promise.all(others.map(tradesThrice));
  expect(await locked.trade(open)).toMatchObject({ status: TradeStatus.TRADE_STATUS_EXECUTED });
  await unlock();
  await filling;
  await broker.exchange.fills(await placing, { price: usd('10.00') });
  expect(await locked.shares('AAPL')).toBe(2n);
});

test('a call that waits for a locked account is answered UNAVAILABLE before its deadline, with a reason and RetryInfo', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const unlock = await lockBalance(alice);
  const request = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 1, clientOrderId: 'once' };
  const attempt = alice.calls().placeTrade(request, { timeoutMs: 3_000 });
  await expect(attempt).rejects.toMatchObject({
    code: Status.UNAVAILABLE,
    details: { info: { reason: 'ACCOUNT_BUSY' }, retryAfterMs: expect.any(Number) },
  });
  await unlock();
  const trade = await alice.buys(1, 'AAPL', { clientOrderId: 'once' });
  await broker.exchange.fills(trade, { price: usd('10.00') });
});

test.each(['balances', 'trades', 'partition_leases'])(
  'a table locked from outside: everything goes on when it is free: %s',
  async (table) => {
    const customers = await broker.customers(5, { cash: usd('1000.00') });
    const open = await Promise.all(customers.map((customer) => customer.buys(1, 'AAPL')));
    await Promise.all(open.map((trade) => broker.exchange.receives(trade)));
    const unlock = await lockFromOutside(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    const placing = customers.map((customer) => customer.buys(1, 'AAPL'));
    const filling = open.map((trade) => broker.exchange.fills(trade, { price: usd('10.00') }));
    await unlock();
    await Promise.all(filling);
    for (const trade of await Promise.all(placing)) await broker.exchange.fills(trade, { price: usd('10.00') });
  },
);

test('one more open trade than is allowed is refused with the figures, and nothing is stored; a retry is still answered', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const trades = await Promise.all(Array.from({ length: MAX_OPEN }, (_, i) => alice.buys(1, 'AAPL', { clientOrderId: `${i}` })));
  const refusal = {
    code: Status.FAILED_PRECONDITION,
    message: '5 trades are open, and 5 are allowed: wait until some have ended, or cancel some',
    details: { info: { reason: 'TOO_MANY_OPEN_TRADES', metadata: { open: '5', limit: '5' } } },
  };
  await expect(alice.buys(1, 'AAPL', { clientOrderId: 'refused' })).rejects.toMatchObject(refusal);
  expect(await alice.buys(1, 'AAPL', { clientOrderId: '2' })).toMatchObject({ orderId: trades[2]?.orderId });
  expect((await alice.calls().listTrades({})).trades).toHaveLength(MAX_OPEN);
  const first = (await alice.calls().listTrades({})).trades.at(-1);
  if (first === undefined) throw new Error('no trade');
  await broker.exchange.fills(first, { price: usd('10.00') });
  expect(await alice.buys(1, 'AAPL', { clientOrderId: 'refused' })).toMatchObject({ status: TradeStatus.TRADE_STATUS_PLACED });
});
