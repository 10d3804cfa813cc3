import { BrokerClient, webCalls } from '@stockbroker/client';
import { Status } from '@stockbroker/rpc';
import { RejectCode, SessionPolicy, Trade, TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker, Customer } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

const QUEUE = { sessionPolicy: SessionPolicy.SESSION_POLICY_QUEUE_FOR_OPEN } as const;
const CANCELED = {
  status: TradeStatus.TRADE_STATUS_REJECTED,
  rejectCode: RejectCode.REJECT_CODE_CANCELED,
  reason: 'Canceled by the customer before it was sent',
  submittedAt: undefined,
  ...QUEUE,
};

let broker: Broker;
let alice: Customer;
let worker: ReturnType<Broker['worker']>;
beforeAll(async () => {
  broker = await openBroker({ quotes: { AAPL: { bid: '9.90', ask: '10.00' } } });
  alice = await broker.customer({ cash: usd('1000.00') });
  worker = broker.worker(0);
  await closes();
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

/** From here on there is one worker, with these hours. Changing them takes seconds: the tests stand in the order of the hours. */
async function hours(MARKET_HOURS: 'always' | 'closed'): Promise<void> {
  const before = worker;
  worker = await broker.system.addWorker({ MARKET_HOURS });
  await before.stop();
}
const closes = () => hours('closed');
const opens = () => hours('always');
const cancels = (trade: { orderId: string }, who = alice) => who.calls().cancelTrade({ orderId: trade.orderId });

test('a session policy that the server does not know is refused', async () => {
  const request = alice.buys(1, 'AAPL', { sessionPolicy: 7 as SessionPolicy });
  await expect(request).rejects.toMatchObject({
    code: Status.INVALID_ARGUMENT,
    details: { violations: [{ field: 'session_policy' }] },
  });
});

test('as JSON and over gRPC-Web, and another policy under the same client_order_id is another order', async () => {
  const post = async (method: string, body: object) => {
    const headers = { authorization: `Bearer ${alice.token}`, 'content-type': 'application/json' };
    const url = `${broker.system.gateways[0]?.endpoints.web}/stockbroker.v1.TradingService/${method}`;
    return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).json() as Promise<Record<string, unknown>>;
  };
  const order = { stockTicker: 'AAPL', type: 'BUY', quantity: 1, clientOrderId: 'at-the-open' };
  const placed = await post('PlaceTrade', { ...order, sessionPolicy: 'QUEUE_FOR_OPEN' });
  expect(placed).toMatchObject({ status: 'TRADE_STATUS_PLACED', sessionPolicy: 'SESSION_POLICY_QUEUE_FOR_OPEN' });
  await alice.placedElsewhere();
  expect(await post('PlaceTrade', order)).toMatchObject({ code: 'already_exists' });
  const canceled = Trade.fromJSON(await post('CancelTrade', { orderId: placed.orderId }));
  expect(canceled).toMatchObject(CANCELED);
  const overGrpcWeb = webCalls({ url: String(broker.system.gateways[0]?.endpoints.web), token: () => alice.token });
  expect(await new BrokerClient({ calls: overGrpcWeb }).cancelTrade(canceled.orderId)).toEqual(canceled);
});

test('outside the session a trade waits for the open, over a restart of the worker too, and is sent then, in order', async () => {
  const first = await alice.buys(1, 'AAPL', QUEUE);
  const second = await alice.buys(2, 'AAPL', QUEUE);
  const impatient = await alice.ended(await alice.buys(3, 'AAPL'));
  expect(impatient).toMatchObject({ rejectCode: RejectCode.REJECT_CODE_MARKET_CLOSED });
  await closes();
  const last = await alice.ended(await alice.buys(4, 'AAPL'));
  expect(last).toMatchObject({ rejectCode: RejectCode.REJECT_CODE_MARKET_CLOSED });
  expect(await alice.trade(first)).toEqual({ ...first, status: TradeStatus.TRADE_STATUS_PLACED });
  expect(await alice.held()).toBe(0n);
  await opens();
  await broker.exchange.fills(first, { price: usd('10.00') });
  await broker.exchange.fills(second, { price: usd('10.00') });
  expect(await alice.ended(second)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED, ...QUEUE });
});

test('a trade that was sent, or has ended, can be canceled no more; another customer’s is not there', async () => {
  const bob = await broker.customer({});
  const trade = await alice.buys(1, 'AAPL', QUEUE);
  await broker.exchange.receives(trade);
  const metadata = { order_id: trade.orderId, status: 'executed' };
  await expect(cancels(trade)).rejects.toMatchObject({
    code: Status.FAILED_PRECONDITION,
    details: { info: { reason: 'ALREADY_EXECUTED', metadata } },
  });
  await broker.exchange.fills(trade, { price: usd('10.00') });
  await alice.ended(trade);
  await expect(cancels(trade)).rejects.toMatchObject({
    code: Status.FAILED_PRECONDITION,
    details: { info: { reason: 'ALREADY_ENDED', metadata: { ...metadata, status: 'filled' } } },
  });
  await expect(cancels(trade, bob)).rejects.toMatchObject({ code: Status.NOT_FOUND });
  await expect(cancels({ orderId: 'mine' })).rejects.toMatchObject({
    code: Status.INVALID_ARGUMENT,
    details: { violations: [{ field: 'order_id' }] },
  });
});

test('a trade that waits can be canceled until the open, again and again; its watchers are told, and the next is sent', async () => {
  await closes();
  const watcher = alice.watches();
  const [first, second] = [await alice.buys(1, 'AAPL', QUEUE), await alice.buys(2, 'AAPL', QUEUE)];
  const canceled = await cancels(first);
  expect(canceled).toMatchObject({ orderId: first.orderId, ...CANCELED });
  expect(await cancels(first)).toEqual(canceled);
  expect(await alice.trade(first)).toEqual(canceled);
  const isTold = ({ orderId, rejectCode }: Trade) => orderId === first.orderId && rejectCode === canceled.rejectCode;
  await watcher.until('the cancellation', ({ changes }) => changes.some(({ trades }) => trades.some(isTold)));
  await watcher.stop();
  await opens();
  await broker.exchange.fills(second, { price: usd('10.00') });
});
