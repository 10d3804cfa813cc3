import { RejectReason } from '@stockbroker/rpc/exchange';
import { RejectCode, type Trade, TradeStatus } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

let broker: Broker;
let alice: Customer;
beforeAll(async () => {
  const aapl = { bid: '9.90', ask: '10.00' };
  broker = await openBroker({
    quotes: { AAPL: aapl, MSFT: aapl, GME: 'none', TSLA: 'halted' },
    env: { worker: { QUOTE_WAIT_MS: '50' } },
  });
  alice = await broker.customer({ cash: usd('1000.00'), shares: { AAPL: 3, TSLA: 5, GME: 5 } });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const NEVER_SENT = { limitPrice: '', hold: '', price: '', executionId: '', submittedAt: undefined, executedAt: undefined };

/** What the broker refuses before anything is sent. */
test.each<[string, () => Promise<Trade>, Partial<Trade>]>([
  [
    'a buy whose hold is a cent above the cash',
    () => alice.buys(96, 'AAPL'),
    {
      rejectCode: RejectCode.REJECT_CODE_INSUFFICIENT_FUNDS,
      rejectFigures: { needed: '1008.0000', available: '1000.0000' },
      reason: 'The buy needs $1008.0000, but $1000.0000 is available',
    },
  ],
  [
    'a sell of more shares than there are',
    () => alice.sells(4, 'AAPL'),
    {
      rejectCode: RejectCode.REJECT_CODE_INSUFFICIENT_SHARES,
      rejectFigures: { needed: '4', available: '3' },
      reason: 'The sell needs 4 shares of AAPL, but 3 are available',
    },
  ],
  [
    'a sell of a stock that the customer never had',
    () => alice.sells(1, 'MSFT'),
    {
      rejectCode: RejectCode.REJECT_CODE_INSUFFICIENT_SHARES,
      rejectFigures: { needed: '1', available: '0' },
      reason: 'The sell needs 1 shares of MSFT, but 0 are available',
    },
  ],
  [
    'a buy without a fresh quote',
    () => alice.buys(1, 'GME'),
    { rejectCode: RejectCode.REJECT_CODE_NO_QUOTE, reason: 'The exchange gives no fresh quote for GME' },
  ],
  [
    'a sell without a fresh quote',
    () => alice.sells(1, 'GME'),
    { rejectCode: RejectCode.REJECT_CODE_NO_QUOTE, reason: 'The exchange gives no fresh quote for GME' },
  ],
  [
    'a buy of a halted stock',
    () => alice.buys(1, 'TSLA'),
    { rejectCode: RejectCode.REJECT_CODE_HALTED, reason: 'Trading in TSLA is halted' },
  ],
  [
    'a sell of a halted stock',
    () => alice.sells(1, 'TSLA'),
    { rejectCode: RejectCode.REJECT_CODE_HALTED, reason: 'Trading in TSLA is halted' },
  ],
])('refused by the broker: %s', async (_what, place, expected) => {
  const trade = await alice.ended(await place());
  expect(trade).toMatchObject({ status: TradeStatus.TRADE_STATUS_REJECTED, ...expected, ...NEVER_SENT });
  if (expected.rejectFigures === undefined) expect(trade.rejectFigures).toBeUndefined();
  expect(await broker.exchange.orderOf([trade])).toEqual([]);
});

test('the means are those left by open orders: what they hold is not available', async () => {
  const bob = await broker.customer({ cash: usd('210.00'), shares: { AAPL: 3 } });
  const fits = await bob.buys(20, 'AAPL');
  await broker.exchange.receives(fits);
  await broker.exchange.fills(fits, { price: usd('10.00') });
  const trade = await bob.ended(await bob.buys(1, 'AAPL'));
  expect(trade.rejectFigures).toEqual({ needed: '10.5000', available: '10.0000' });
});

/** What the exchange refuses, in the broker’s words. */
test.each([
  ['UNKNOWN_TICKER', RejectReason.REJECT_REASON_UNKNOWN_TICKER, '', 'The exchange does not list AAPL'],
  ['HALTED', RejectReason.REJECT_REASON_HALTED, '', 'Trading in AAPL is halted'],
  ['MARKET_CLOSED', RejectReason.REJECT_REASON_MARKET_CLOSED, '', 'The market is closed'],
  ['EXCHANGE_REJECTED', RejectReason.REJECT_REASON_LIMIT_EXCEEDED, 'too dear', 'The exchange rejected the order: too dear'],
  ['EXCHANGE_REJECTED', RejectReason.REJECT_REASON_OTHER, '', 'The exchange rejected the order: no reason given'],
] as const)('rejected by the exchange: %s', async (code, rejectReason, message, reason) => {
  const trade = await alice.buys(1, 'AAPL');
  await broker.exchange.rejects(trade, rejectReason, message);
  const ended = await alice.trade(trade);
  expect(ended).toMatchObject({
    rejectCode: RejectCode[`REJECT_CODE_${code}`],
    reason,
    limitPrice: '10.5000',
    hold: '10.5000',
    price: '',
  });
  expect(ended.executedAt).toBeInstanceOf(Date);
  expect(await alice.held()).toEqual(0n);
});

test('UNKNOWN_TICKER: a gateway that cannot ask the exchange takes the trade, and it is rejected once the exchange answers', async () => {
  await broker.exchange.whileBehaving({ unavailable: true }, async () => {
    await broker.restartGateway(0);
    await alice.buys(1, 'ZZZZZ');
  });
  const { trades } = await alice.calls().listTrades({ pageSize: 1 });
  const trade = await alice.ended(trades[0] ?? { orderId: 'none' });
  expect(trade).toMatchObject({
    stockTicker: 'ZZZZZ',
    rejectCode: RejectCode.REJECT_CODE_UNKNOWN_TICKER,
    reason: 'The exchange does not list ZZZZZ',
    ...NEVER_SENT,
  });
});

test('MARKET_CLOSED: outside the market’s hours every trade is rejected, and its customer told when it opens', async () => {
  await broker.worker(0).stop();
  const days = Array.from({ length: 5 }, (_, i) => new Date(Date.now() + (i - 1) * 24 * 3_600_000));
  const closings = days.map((day) => day.toISOString().slice(0, 10)).join();
  const closed = await broker.system.addWorker({ MARKET_HOURS: 'nyse', MARKET_CLOSINGS: closings });
  const trade = await alice.ended(await alice.buys(1, 'AAPL'));
  expect(trade).toMatchObject({ rejectCode: RejectCode.REJECT_CODE_MARKET_CLOSED, ...NEVER_SENT });
  expect(trade.reason).toMatch(/^The market is closed; it opens on \w+day, \w+ \d+ at 9:30 AM E[DS]T$/);
  await closed.stop();
  await broker.system.addWorker();
});

test('EXCHANGE_UNAVAILABLE: a trade that could not be sent within its time is rejected, and is not sent later', async () => {
  await Promise.all(broker.system.workers.map((worker) => worker.stop()));
  const worker = await broker.system.addWorker({ MAX_EXCHANGE_OUTAGE_MS: '300' });
  // What was placed before it led would not be rejected before the exchange was asked.
  await eventually(
    () => broker.leaderOf(alice),
    (leader) => leader === worker,
    { what: 'the new leader' },
  );
  await broker.exchange.process.kill();
  const trade = await alice.ended(await alice.buys(1, 'AAPL'));
  expect(trade).toMatchObject({
    rejectCode: RejectCode.REJECT_CODE_EXCHANGE_UNAVAILABLE,
    reason: 'The exchange could not be reached for 0.3 s; the order was not sent',
    ...NEVER_SENT,
  });
  await broker.exchange.restarts();
  expect(await broker.exchange.orderOf([trade])).toEqual([]);
});
