import { readFileSync } from 'node:fs';
import { type OrderReport, OrderState, RejectReason } from '@stockbroker/rpc/exchange';
import { TradeStatus } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

/* What the exchange says, held against what was allowed: docs/reports.md. */

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({ callbacks: 2, quotes: { AAPL: { bid: '9.90', ask: '10.00' } } });
});
afterAll(() => closeBroker(broker));
afterEach((context) => expectExactBooks(broker, context, { exchangeLied: true }));

/** With two thousand dollars and a hundred shares. */
let alice: Customer;
beforeEach(async () => {
  alice = await broker.customer({ cash: usd('2000.00'), shares: { AAPL: 100 } });
});

const kept = (tradeId: string) =>
  broker.db.callbackQuarantine.findMany({
    where: { tradeId },
    select: { why: true, booked: true, resolvedAt: true },
    orderBy: { id: 'asc' },
  });

/** Lines of level error that the broker's processes have logged about the trade. */
function alertsAbout(tradeId: string): { msg: string; why?: string }[] {
  const { callbacks, workers } = broker.system;
  return [...callbacks, ...workers].flatMap(({ name }) =>
    readFileSync(`${broker.folder}/system/logs/${name}.log`, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{"level":50,') && line.includes(tradeId))
      .map((line) => JSON.parse(line)),
  );
}

const alerted = (tradeId: string, why: string) =>
  eventually(
    () => alertsAbout(tradeId),
    (alerts) => alerts.some((alert) => alert.msg === 'suspect-fill' && alert.why === why),
    { what: `an alert: ${why}` },
  );

test('a sell filled below its limit is booked, and alerts', async () => {
  const trade = await alice.sells(100, 'AAPL');
  await broker.exchange.fills(trade, { price: usd('0.01') });
  expect(await alice.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED, price: '0.0100' });
  expect(await alice.account()).toMatchObject({ cash: '2001.0000', buysBlocked: false });
  const why = 'filled at 0.0100, below its limit 9.4050';
  await alerted(trade.orderId, why);
  expect(await kept(trade.orderId)).toEqual([{ why: `booked, but ${why}`, booked: true, resolvedAt: null }]);
});

test('a buy filled above its limit is booked, alerts, and blocks further buys', async () => {
  const trade = await alice.buys(10, 'AAPL');
  await broker.exchange.fills(trade, { price: usd('10.5001') });
  expect(await alice.account()).toMatchObject({ cash: '1894.9990', held: '0.0000', buysBlocked: true });
  await alerted(trade.orderId, 'filled at 10.5001, above its limit 10.5000');
  expect(await kept(trade.orderId)).toMatchObject([{ booked: true }]);
});

test.each<[string, Partial<OrderReport>, string]>([
  ['from before it was sent', { executedAt: new Date(0) }, 'executed at 1970-01-01T00:00:00.000Z, before it was sent'],
  [
    'from the future',
    { executedAt: new Date('2999-01-01T00:00:00Z') },
    'executed at 2999-01-01T00:00:00.000Z, which is in the future',
  ],
  ['with a reason for a rejection', { rejectReason: RejectReason.REJECT_REASON_HALTED }, 'a fill with a reason for a rejection'],
  ['far better than its limit', { price: '20.0000' }, 'filled at 20.0000, more than twice its limit 9.4050'],
])('a fill %s is booked, alerts, and is kept once however often it comes', async (_what, change, why) => {
  const trade = await alice.sells(10, 'AAPL');
  const report = { ...(await broker.exchange.fillsSilently(trade, { price: usd('9.90') })), ...change };
  for (const number of [0, 1, 0]) {
    const url = broker.callback(number).endpoints.http ?? '';
    expect(await broker.exchange.reports(url, report)).toMatchObject({ delivered: true });
  }
  expect(await alice.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED });
  await alerted(trade.orderId, why);
  expect(await kept(trade.orderId)).toEqual([{ why: `booked, but ${why}`, booked: true, resolvedAt: null }]);
});

test('a fill beyond its limit that the lane had to ask for is booked, and alerts', async () => {
  const trade = await alice.sells(10, 'AAPL');
  await broker.exchange.fillsSilently(trade, { price: usd('1.00') });
  await alerted(trade.orderId, 'filled at 1.0000, below its limit 9.4050');
  expect(await alice.account()).toMatchObject({ cash: '2010.0000' });
  expect(await kept(trade.orderId)).toMatchObject([{ booked: true }]);
});

test('a rejection with a price or an execution id, which would release the hold of a filled order, changes nothing', async () => {
  const trade = await alice.buys(10, 'AAPL');
  const report = await broker.exchange.fillsSilently(trade, { price: usd('10.00') });
  const contrary = { ...report, state: OrderState.ORDER_STATE_REJECTED, rejectReason: RejectReason.REJECT_REASON_OTHER };
  const url = broker.callback(0).endpoints.grpc ?? '';
  expect(await broker.exchange.reports(url, contrary)).toMatchObject({ delivered: true });
  expect(await kept(trade.orderId)).toMatchObject([
    { why: 'malformed: a rejection has a price or an execution_id', booked: false },
  ]);
  await broker.exchange.reports(url, report);
  expect(await alice.account()).toMatchObject({ cash: '1900.0000' });
});

test('one execution id reported for two orders: the second is set aside and stays open, and its true fill is booked', async () => {
  const bob = await broker.customer({ cash: usd('1000.00') });
  const [first, second] = [await alice.buys(10, 'AAPL'), await bob.buys(10, 'AAPL')];
  const report = await broker.exchange.fillsSilently(first, { price: usd('10.00') });
  await broker.exchange.receives(second);
  for (const protocol of ['http', 'grpc'] as const) {
    const repeated = { ...report, clientOrderId: second.orderId };
    const url = broker.callback(0).endpoints[protocol] ?? '';
    expect(await broker.exchange.reports(url, report, repeated)).toMatchObject({ delivered: true });
    expect(await bob.trade(second)).toMatchObject({ status: TradeStatus.TRADE_STATUS_EXECUTED });
    expect(await kept(second.orderId)).toMatchObject([
      { why: `execution ${report.executionId} was booked for another trade`, booked: false },
    ]);
  }
  expect(await alice.account()).toMatchObject({ cash: '1900.0000' });
  expect(await bob.account()).toMatchObject({ cash: '1000.0000', held: '105.0000' });
  await broker.exchange.fills(second, { price: usd('10.00') });
  expect(await bob.account()).toMatchObject({ cash: '900.0000', held: '0.0000' });
  expect(await kept(first.orderId)).toEqual([]);
});
