import { Status } from '@stockbroker/rpc';
import { RejectCode, type Trade, TradeStatus } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually } from '@stockbroker/testkit';
import { formatUsd, parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

const RULES = { QUOTE_MAX_MOVE: '50', QUOTE_CONFIRM_MS: '3000', QUOTE_MAX_AGE_MS: '3000' };

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { gateway: RULES, worker: { ...RULES, QUOTE_WAIT_MS: '50' }, exchange: { EXCHANGE_RESTATE_MS: '200' } },
  });
});
afterAll(() => closeBroker(broker));

let alice: Customer;
beforeEach(async () => {
  alice = await broker.customer({ cash: usd('100000.00'), shares: { AAPL: 10, MSFT: 10, TSLA: 10, GME: 10, NVDA: 10, IBM: 10 } });
});
afterEach((context) => expectExactBooks(broker, context));

const quote = (stockTicker: string) => alice.calls().getQuote({ stockTicker });
/** When both servers have it. */
const quoted = (stockTicker: string, as: object) =>
  eventually(
    async () => [await quote(stockTicker).catch((error: object) => error)],
    ([found]) => Object.entries(as).every(([key, value]) => (found as Record<string, unknown>)[key] === value),
    { what: `the quote of ${stockTicker}` },
  );
const refused = async (type: 'buys' | 'sells', stockTicker: string, rejectCode: RejectCode) =>
  expect(await alice.ended(await alice[type](1, stockTicker))).toMatchObject({ rejectCode });
async function goes(type: 'buys' | 'sells', stockTicker: string, price: string): Promise<void> {
  const trade = await alice[type](1, stockTicker);
  await broker.exchange.fills(trade, { price: usd(price) });
  expect(await alice.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED });
}
const NO_QUOTE = { code: Status.UNAVAILABLE };

test('a stock that is halted without prices is halted: for orders, and for whoever asks for its quote', async () => {
  await broker.exchange.quotes('TSLA', 'halted without prices');
  await quoted('TSLA', { halted: true, bid: '', ask: '' });
  await refused('buys', 'TSLA', RejectCode.REJECT_CODE_HALTED);
  await refused('sells', 'TSLA', RejectCode.REJECT_CODE_HALTED);
});

test('a bid without an ask is enough for a sell, an ask without a bid for a buy', async () => {
  const { bid, ask } = await quote('MSFT');
  await broker.exchange.quotes('MSFT', { bid });
  await quoted('MSFT', { bid, ask: '' });
  await goes('sells', 'MSFT', bid);
  await refused('buys', 'MSFT', RejectCode.REJECT_CODE_NO_QUOTE);
  await broker.exchange.quotes('MSFT', { ask });
  await quoted('MSFT', { bid: '', ask });
  await goes('buys', 'MSFT', ask);
  await refused('sells', 'MSFT', RejectCode.REJECT_CODE_NO_QUOTE);
});

test('a crossed quote is no quote, tells operators, and costs the others nothing', async () => {
  const { bid, ask } = await quote('GME');
  const other = await quote('IBM');
  await broker.exchange.quotes('GME', { bid: ask, ask: bid });
  await quoted('GME', NO_QUOTE);
  await refused('sells', 'GME', RejectCode.REJECT_CODE_NO_QUOTE);
  await goes('sells', 'IBM', other.bid);
  const [worker] = broker.system.workers;
  const metrics = await (await fetch(`${worker?.endpoints.admin}/metrics`)).text();
  expect(metrics).toMatch(/^quotes_refused_total\{why="crossed",app="worker"\} [1-9]/m);
  expect(metrics).toMatch(/^quotes_refused_total\{why="untimed",app="worker"\} 0$/m);
});

test('a price from nowhere is no quote, until the exchange has stood by it for a while', async () => {
  const { bid } = await quote('NVDA');
  const far = formatUsd(10n * usd(bid));
  await broker.exchange.quotes('NVDA', { bid: far, ask: far });
  await quoted('NVDA', NO_QUOTE);
  await refused('sells', 'NVDA', RejectCode.REJECT_CODE_NO_QUOTE);
  await quoted('NVDA', { bid: far });
  const sent = await eventually(
    async () => {
      const trade = await alice.sells(1, 'NVDA');
      const isDecided = ({ status }: Trade) => status !== TradeStatus.TRADE_STATUS_PLACED;
      return eventually(() => alice.trade(trade), isDecided, { what: 'a decision' });
    },
    ({ status }) => status === TradeStatus.TRADE_STATUS_EXECUTED,
    { what: 'a sell at the new price' },
  );
  await broker.exchange.fills(sent, { price: usd(far) });
});

test('a feed that is frozen, with heartbeats, has no quotes, and is live again when it moves', async () => {
  await quote('AAPL');
  await broker.exchange.whileBehaving({ freezeQuotes: true }, async () => {
    await quoted('AAPL', NO_QUOTE);
    await refused('buys', 'AAPL', RejectCode.REJECT_CODE_NO_QUOTE);
  });
  await quoted('AAPL', { ask: '10.0000' });
  await goes('buys', 'AAPL', '10.00');
});
