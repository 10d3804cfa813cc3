import { RejectCode, TradeStatus } from '@stockbroker/rpc/stockbroker';
import { unblockAccount } from '@stockbroker/store/operate';
import type { Broker } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({ quotes: { AAPL: { bid: '9.90', ask: '10.00' } } });
});
afterEach((context) => expectExactBooks(broker, context, { exchangeLied: true }));
afterAll(() => closeBroker(broker));

test('a fill above its hold is booked, and blocks further buys but no sells', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const trade = await alice.buys(10, 'AAPL');
  await broker.exchange.fills(trade, { price: usd('10.5001') });
  expect(await alice.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED, hold: '105.0000', price: '10.5001' });
  expect(await alice.account()).toMatchObject({ cash: '894.9990', held: '0.0000', buysBlocked: true });

  const refused = await alice.ended(await alice.buys(1, 'AAPL'));
  expect(refused).toMatchObject({
    rejectCode: RejectCode.REJECT_CODE_ACCOUNT_BLOCKED,
    reason: 'Buys are blocked on this account until an operator has looked at an earlier fill',
    rejectFigures: undefined,
  });
  const sell = await alice.sells(10, 'AAPL');
  await broker.exchange.fills(sell, { price: usd('10.00') });
  expect(await alice.cash()).toEqual(usd('994.9990'));
});

test('a fill exactly at its hold blocks nothing', async () => {
  const alice = await broker.customer({ cash: usd('105.00') });
  const trade = await alice.buys(10, 'AAPL');
  await broker.exchange.fills(trade, { price: usd('10.50') });
  expect(await alice.account()).toMatchObject({ cash: '0.0000', held: '0.0000', buysBlocked: false });
});

test('a fill that costs more than all cash is booked: the balance is below zero and buys are blocked', async () => {
  const alice = await broker.customer({ cash: usd('105.00') });
  const trade = await alice.buys(10, 'AAPL');
  await broker.exchange.fills(trade, { price: usd('20.00') });
  expect(await alice.account()).toMatchObject({ cash: '-95.0000', held: '0.0000', spendable: '-95.0000', buysBlocked: true });
  expect(await alice.shares('AAPL')).toBe(10n);
  const refused = await alice.ended(await alice.buys(1, 'AAPL'));
  expect(refused.rejectCode).toBe(RejectCode.REJECT_CODE_ACCOUNT_BLOCKED);
});

test('an operator’s unblocking is told to those who watch, as a change of the account alone', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  await broker.exchange.fills(await alice.buys(10, 'AAPL'), { price: usd('10.5001') });
  const watcher = alice.watches();
  onTestFinished(() => watcher.stop());
  await watcher.until('a snapshot', ({ snapshots }) => snapshots[0]?.account?.buysBlocked === true);
  await unblockAccount(broker.db, alice.id, { operator: 'test', note: 'seen' }, { evenBelowZero: false });
  await watcher.until('the change', ({ revision }) => revision === 4);
  expect(watcher.changes).toMatchObject([{ firstRevision: 4n, revision: 4n, trades: [], account: { buysBlocked: false } }]);
});
