import { RejectReason } from '@stockbroker/rpc/exchange';
import { RejectCode, SessionPolicy, TradeStatus } from '@stockbroker/rpc/stockbroker';
import { type Broker, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { putBack } from '../support/putBack.ts';

const QUEUE = { sessionPolicy: SessionPolicy.SESSION_POLICY_QUEUE_FOR_OPEN } as const;
const LIMIT_MS = 6_000;
const PRICE = { price: usd('10.00') };

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    // Nobody asks for an order but a new leadership.
    env: { worker: { MAX_EXCHANGE_OUTAGE_MS: String(LIMIT_MS), ASK_AFTER_MS: '3600000', SWEEP_MS: '200' } },
  });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const metricsOf = async (worker: ReturnType<Broker['worker']>) => (await fetch(`${worker.endpoints.admin}/metrics`)).text();

test('trades that waited behind an earlier one for longer than the limit are not rejected for a moment without the exchange', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const first = await alice.buys(1, 'AAPL');
  const waiting = await Promise.all(Array.from({ length: 4 }, () => alice.buys(1, 'AAPL')));
  await broker.exchange.receives(first);
  const age = () => Date.now() - (waiting.at(-1)?.createdAt?.getTime() ?? Date.now());
  await eventually(age, (ms) => ms > LIMIT_MS, { what: 'trades older than the limit' });
  const isAway = async () => /^exchange_reachable\{.*\} 0$/m.test(await metricsOf(broker.worker(0)));
  await broker.exchange.whileBehaving({ unavailable: true }, async () => {
    await eventually(isAway, Boolean, { what: 'the worker without the exchange' });
    await broker.exchange.completesUnasked(first, { price: '10.0000' });
    expect(await alice.ended(first)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED });
  });
  for (const trade of waiting) await broker.exchange.fills(trade, PRICE);
  for (const trade of waiting) expect(await alice.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED });
});

test('a trade that waits for the open, sent back by an exchange that is closed, is placed again, and sent as another attempt', async () => {
  const bob = await broker.customer({ cash: usd('20.00') });
  const trade = await bob.buys(1, 'AAPL', QUEUE);
  const report = await broker.exchange.completes(trade, {
    rejectReason: RejectReason.REJECT_REASON_MARKET_CLOSED,
    rejectMessage: '',
  });
  const waits = await eventually(
    () => bob.trade(trade),
    ({ status }) => status === TradeStatus.TRADE_STATUS_PLACED,
    { what: 'the trade placed again' },
  );
  expect(waits).toMatchObject({
    rejectCode: RejectCode.REJECT_CODE_UNSPECIFIED,
    limitPrice: '',
    hold: '',
    executedAt: undefined,
  });
  expect(await bob.held()).toBe(0n);
  // Late copies of the report change nothing.
  const { http = '' } = broker.callback(0).endpoints;
  expect(await broker.exchange.reports(http, report)).toMatchObject({ delivered: true });
  // This calendar has no sessions: it is tried again soon.
  const attempt = async () =>
    (await broker.exchange.journal()).find(({ order }) => order?.clientOrderId === trade.orderId)?.order?.attempt;
  await eventually(attempt, (number) => number === 1, { what: 'the second attempt' });
  expect(await broker.exchange.reports(http, report)).toMatchObject({ delivered: true });
  await broker.exchange.fills(trade, PRICE);
  expect(await bob.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED, price: '10.0000' });
  expect(await broker.db.callbackQuarantine.count()).toBe(0);
});

test('rows put back to before the send: a new leadership asks, and books the fill; nothing is rejected and nothing sent twice', async () => {
  const carol = await broker.customer({ cash: usd('25.00') });
  const [filled, behind] = [await carol.buys(2, 'AAPL'), await carol.buys(1, 'AAPL')];
  await broker.exchange.fillsSilently(filled, { price: usd('9.95') });
  const worker = broker.worker(0);
  await worker.kill();
  await putBack(broker, filled);
  // Decided anew, it would be more than there is.
  await broker.exchange.quotes('AAPL', { bid: '19.90', ask: '20.00' });
  await worker.start();
  expect(await carol.ended(filled)).toMatchObject({
    status: TradeStatus.TRADE_STATUS_FILLED,
    price: '9.9500',
    limitPrice: '10.5000',
  });
  expect(await carol.ended(behind)).toMatchObject({ rejectCode: RejectCode.REJECT_CODE_INSUFFICIENT_FUNDS });
  expect(await metricsOf(worker)).toMatch(/^trade_events_total\{.*kind="adopted".*\} 1$/m);
  await broker.exchange.quotes('AAPL', { bid: '9.90', ask: '10.00' });
});
