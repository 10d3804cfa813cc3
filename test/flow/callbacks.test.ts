import { readFileSync } from 'node:fs';
import { type OrderReport, OrderState, RejectReason, Side } from '@stockbroker/rpc/exchange';
import { type Trade, TradeStatus } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { madeUpFill, unusedTradeId } from '../support/reports.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({ callbacks: 2, quotes: { AAPL: { bid: '9.90', ask: '10.00' } } });
});
afterAll(() => closeBroker(broker));

/** A customer with an open buy of 10 at the exchange. */
let alice: Customer;
let trade: Trade;
beforeEach(async () => {
  alice = await broker.customer({ cash: usd('1000.00') });
  trade = await alice.buys(10, 'AAPL');
  await broker.exchange.receives(trade);
});
afterEach((context) => expectExactBooks(broker, context));

const urlOf = (protocol: 'http' | 'grpc', number = 0) => broker.callback(number).endpoints[protocol] ?? '';
const FILLED_ACCOUNT = { cash: '900.0000', held: '0.0000', positions: [{ stockTicker: 'AAPL', quantity: 10n, held: 0n }] };

function quarantined(tradeId: string) {
  return broker.db.callbackQuarantine.findMany({ where: { tradeId }, select: { why: true, raw: true, resolvedAt: true } });
}

async function expectNothingChanged() {
  expect(await alice.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_EXECUTED });
  expect(await alice.account()).toMatchObject({ cash: '1000.0000', held: '105.0000', positions: [] });
}

test.each(['http', 'grpc'] as const)('a fill reported over %s settles the trade', async (protocol) => {
  const report = await broker.exchange.fillsSilently(trade, { price: usd('10.00') });
  expect(await broker.exchange.reports(urlOf(protocol), report)).toMatchObject({ delivered: true });
  expect(await alice.account()).toMatchObject(FILLED_ACCOUNT);
});

test.each(['http', 'grpc'] as const)('a second fill callback for the same trade changes nothing, over %s', async (protocol) => {
  const report = await broker.exchange.fills(trade, { price: usd('10.00') });
  const before = await alice.account();
  expect(await broker.exchange.reports(urlOf(protocol), report)).toMatchObject({ delivered: true });
  expect(await alice.account()).toEqual(before);
  expect(await quarantined(trade.orderId)).toEqual([]);
});

test('a second rejection callback for the same trade changes nothing', async () => {
  const report = await broker.exchange.rejects(trade, RejectReason.REJECT_REASON_OTHER, 'no reason');
  expect(await broker.exchange.reports(urlOf('http'), report)).toMatchObject({ delivered: true });
  expect(await alice.account()).toMatchObject({ cash: '1000.0000', held: '0.0000', positions: [] });
  expect(await quarantined(trade.orderId)).toEqual([]);
});

test('a report that comes nine days late settles the trade; later it changes nothing, and what contradicts it is kept', async () => {
  const then = new Date(Date.now() - 9 * 86_400_000);
  await broker.db.$transaction([
    broker.db.$executeRaw`SET LOCAL session_replication_role = replica`, // The database lets nobody change these otherwise.
    broker.db.trade.update({ where: { id: trade.orderId }, data: { createdAt: then, submittedAt: then } }),
  ]);
  const report = await broker.exchange.fillsSilently(trade, { price: usd('10.00') });
  expect(await broker.exchange.reports(urlOf('http'), report)).toMatchObject({ delivered: true });
  expect(await alice.account()).toMatchObject(FILLED_ACCOUNT);
  for (const protocol of ['http', 'grpc'] as const) {
    expect(await broker.exchange.reports(urlOf(protocol), report)).toMatchObject({ delivered: true });
    const contrary = { ...report, price: '11.0000' };
    expect(await broker.exchange.reports(urlOf(protocol), contrary)).toMatchObject({ delivered: true });
  }
  expect(await alice.account()).toMatchObject(FILLED_ACCOUNT);
  expect(await quarantined(trade.orderId)).toHaveLength(1);
});

test('one report given forty times at once to two callback servers, over both protocols, settles once', async () => {
  const report = await broker.exchange.fillsSilently(trade, { price: usd('10.00') });
  const urls = [urlOf('http', 0), urlOf('http', 1), urlOf('grpc', 0), urlOf('grpc', 1)];
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => broker.exchange.reports(urls[i % 4] ?? '', report)));
  expect(answers.filter(({ delivered }) => !delivered)).toEqual([]);
  expect(await alice.account()).toMatchObject(FILLED_ACCOUNT);
  expect(await quarantined(trade.orderId)).toEqual([]);
});

test.each<[string, Partial<OrderReport>]>([
  ['another price', { price: '11.0000' }],
  ['another execution', { executionId: 'another' }],
  ['another time', { executedAt: new Date(0) }],
  [
    'a rejection',
    {
      state: OrderState.ORDER_STATE_REJECTED,
      price: '',
      executionId: '',
      rejectReason: RejectReason.REJECT_REASON_OTHER,
      rejectMessage: 'we changed our mind',
    },
  ],
])('a second callback with %s moves no money, is kept with an alert, and gets a success', async (_what, change) => {
  const lie = { ...(await broker.exchange.fills(trade, { price: usd('10.00') })), ...change };
  expect(await broker.exchange.reports(urlOf('http'), lie)).toMatchObject({ delivered: true });
  expect(await alice.account()).toMatchObject(FILLED_ACCOUNT);
  const kept = await quarantined(trade.orderId);
  expect(kept).toMatchObject([{ why: 'the trade is filled already, with another outcome', resolvedAt: null }]);
  expect(JSON.parse(Buffer.from(kept[0]?.raw ?? []).toString())).toMatchObject({ clientOrderId: trade.orderId });
  await eventually(
    () => alertsAbout(trade.orderId),
    (alerts) => alerts.length > 0,
    { what: 'an alert' },
  );
});

test('a fill after a rejection moves no money and is kept', async () => {
  await broker.exchange.rejects(trade, RejectReason.REJECT_REASON_OTHER, 'no reason');
  expect(await broker.exchange.reports(urlOf('grpc'), madeUpFill(trade.orderId))).toMatchObject({ delivered: true });
  expect(await alice.account()).toMatchObject({ cash: '1000.0000', held: '0.0000', positions: [] });
  expect(await quarantined(trade.orderId)).toMatchObject([{ why: 'the trade is rejected already, with another outcome' }]);
});

test.each<[string, Partial<OrderReport>]>([
  ['ticker', { ticker: 'MSFT' }],
  ['side', { side: Side.SIDE_SELL }],
  ['quantity', { quantity: 11 }],
])('a fill with another %s than the order’s changes nothing and is kept', async (_what, difference) => {
  const report = { ...madeUpFill(trade.orderId), ...difference };
  expect(await broker.exchange.reports(urlOf('http'), report)).toMatchObject({ delivered: true });
  await expectNothingChanged();
  expect(await quarantined(trade.orderId)).toMatchObject([{ why: 'the ticker, side or quantity is not that of the trade' }]);
});

test('a report of a trade that was never sent changes nothing and is kept', async () => {
  const waiting = await alice.buys(10, 'AAPL');
  expect(await broker.exchange.reports(urlOf('http'), madeUpFill(waiting.orderId))).toMatchObject({ delivered: true });
  await expectNothingChanged();
  expect(await alice.trade(waiting)).toMatchObject({ status: TradeStatus.TRADE_STATUS_PLACED });
  expect(await quarantined(waiting.orderId)).toMatchObject([{ why: 'the trade was never sent to the exchange' }]);
});

test('a report of an unknown trade is kept once, however often it comes', async () => {
  const report = madeUpFill(unusedTradeId());
  for (const url of [urlOf('http', 0), urlOf('http', 1), urlOf('grpc', 0)]) {
    expect(await broker.exchange.reports(url, report)).toMatchObject({ delivered: true });
  }
  expect(await quarantined(report.clientOrderId)).toMatchObject([{ why: 'no trade has this id' }]);
});

test('one bad report does not keep back the others of its callback', async () => {
  const good = await broker.exchange.fillsSilently(trade, { price: usd('10.00') });
  const unknown = madeUpFill(unusedTradeId());
  const malformed = { ...unknown, price: 'free' };
  expect(await broker.exchange.reports(urlOf('http'), malformed, unknown, good)).toMatchObject({ delivered: true });
  expect(await alice.account()).toMatchObject(FILLED_ACCOUNT);
  expect((await quarantined(unknown.clientOrderId)).map(({ why }) => why).sort()).toEqual([
    'malformed: price must be a positive decimal below 1,000,000,000 with at most four places',
    'no trade has this id',
  ]);
});

/** The last one is cut in the middle of a character. */
test.each([
  'a zero byte: \0',
  '\t\r\n',
  `far too long: ${'many words '.repeat(50)}`,
  `\u{1F4C9}${'\u{1F4C8}'.repeat(100)}x`,
  `x${'\u{1F4C8}'.repeat(100)}`,
])('a rejection ends the trade, and is a duplicate when it comes again, whatever its message is: %j', async (message) => {
  const report = await broker.exchange.rejects(trade, RejectReason.REJECT_REASON_OTHER, message);
  expect(await alice.trade(trade)).toMatchObject({
    status: TradeStatus.TRADE_STATUS_REJECTED,
    reason: expect.stringMatching(/^The exchange rejected the order: ./),
  });
  expect(await broker.exchange.reports(urlOf('grpc'), report)).toMatchObject({ delivered: true });
  expect(await quarantined(trade.orderId)).toEqual([]);
});

/** Lines of level error that a callback server has logged about the trade. */
function alertsAbout(tradeId: string): string[] {
  return [0, 1].flatMap((number) =>
    readFileSync(`${broker.folder}/system/logs/${broker.callback(number).name}.log`, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{"level":50,') && line.includes(tradeId)),
  );
}
