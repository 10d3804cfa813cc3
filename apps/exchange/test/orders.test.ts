import { randomUUID } from 'node:crypto';
import { Status } from '@stockbroker/rpc';
import { type Order, OrderState, RejectReason, Side, SubmitOutcome } from '@stockbroker/rpc/exchange';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cleanUp, eventually, httpSink, order, type Sink, SLOW, startExchange, type TestExchange } from './harness.ts';

afterAll(cleanUp);

const ACCEPTED = SubmitOutcome.SUBMIT_OUTCOME_ACCEPTED;
let exchange: TestExchange;
let sink: Sink;

beforeAll(async () => {
  exchange = await startExchange();
  sink = await httpSink();
});
afterAll(async () => {
  await exchange.stop();
  await sink.close();
});

/** Submits one order. */
async function submit(wanted: Order) {
  const { results } = await exchange.orders.submitOrders({ orders: [wanted] });
  const [result] = results;
  if (result === undefined) throw new Error('no result');
  return result;
}

/** The report that came for an order. */
function reportOf({ clientOrderId }: Order) {
  return eventually(`a report of ${clientOrderId}`, () =>
    sink.reports().find((report) => report.clientOrderId === clientOrderId),
  );
}

test('submit: 50 copies at once are one order, reported once', async () => {
  const wanted = order(sink.url);
  const results = await Promise.all(Array.from({ length: 50 }, () => submit(wanted)));
  expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set([ACCEPTED]));
  await reportOf(wanted);
  const mine = (await exchange.journal()).filter((entry) => entry.order?.clientOrderId === wanted.clientOrderId);
  expect(mine).toHaveLength(1);
  expect(sink.reports().filter((report) => report.clientOrderId === wanted.clientOrderId)).toHaveLength(1);
});

test('submit: 50 copies within one request are one order', async () => {
  const wanted = order(sink.url);
  const { results } = await exchange.orders.submitOrders({ orders: Array(50).fill(wanted) });
  expect(results.every(({ outcome }) => outcome === ACCEPTED)).toBe(true);
  expect((await exchange.journal()).filter((entry) => entry.order?.clientOrderId === wanted.clientOrderId)).toHaveLength(1);
});

test('submit: the same order with another callback URL, or its id in capitals, is the same order', async () => {
  const wanted = order(sink.url);
  await submit(wanted);
  const again = await submit({
    ...wanted,
    callbackUrl: `${sink.url}/elsewhere`,
    clientOrderId: wanted.clientOrderId.toUpperCase(),
  });
  expect(again.outcome).toBe(ACCEPTED);
});

test.each<[string, Partial<Order>]>([
  ['ticker', { ticker: 'MSFT' }],
  ['side', { side: Side.SIDE_SELL }],
  ['quantity', { quantity: 11 }],
  ['limit price', { limitPrice: '1000.0001' }],
])('submit: a known id with another %s is a conflict, and the first order stands', async (_what, change) => {
  const wanted = order(sink.url);
  await submit(wanted);
  expect((await submit({ ...wanted, ...change })).outcome).toBe(SubmitOutcome.SUBMIT_OUTCOME_CONFLICT);
  const { reports } = await exchange.orders.getOrders({ clientOrderIds: [wanted.clientOrderId] });
  expect(reports).toMatchObject([{ ticker: 'AAPL', side: Side.SIDE_BUY, quantity: 10 }]);
});

test.each<[string, Partial<Order>]>([
  ['an id that is no UUID', { clientOrderId: '42' }],
  ['no ticker', { ticker: '' }],
  ['a ticker beyond all length', { ticker: 'A'.repeat(17) }],
  ['no side', { side: Side.SIDE_UNSPECIFIED }],
  ['an unknown side', { side: 7 as Side }],
  ['quantity 0', { quantity: 0 }],
  ['quantity -1', { quantity: -1 }],
  ['no limit price', { limitPrice: '' }],
  ['a limit price with two places', { limitPrice: '10.00' }],
  ['a limit price of zero', { limitPrice: '0.0000' }],
  ['a negative limit price', { limitPrice: '-1.0000' }],
  ['a limit price that is no number', { limitPrice: '1e3.0000' }],
  ['a callback URL without a protocol', { callbackUrl: 'localhost/callback' }],
  ['a callback URL of another protocol', { callbackUrl: 'ftp://localhost/callback' }],
  ['a gRPC callback URL without a port', { callbackUrl: 'grpc://localhost' }],
  ['a gRPC callback URL with a path', { callbackUrl: 'grpc://localhost:1/path' }],
])('submit: %s is invalid and never an order; its neighbours are taken', async (_what, change) => {
  const [bad, good] = [order(sink.url, change), order(sink.url)];
  const { results } = await exchange.orders.submitOrders({ orders: [bad, good] });
  expect(results.map(({ outcome }) => outcome)).toEqual([SubmitOutcome.SUBMIT_OUTCOME_INVALID, ACCEPTED]);
  expect(results[0]?.message).not.toBe('');
  const { unknownClientOrderIds } = await exchange.orders.getOrders({ clientOrderIds: [bad.clientOrderId] });
  expect(unknownClientOrderIds).toEqual([bad.clientOrderId]);
});

test.each([0, 1_001])('submit and get: %i entries are refused', async (length) => {
  const refusal = { code: Status.INVALID_ARGUMENT };
  const orders = Array.from({ length }, () => order(sink.url));
  await expect(exchange.orders.submitOrders({ orders })).rejects.toMatchObject(refusal);
  const clientOrderIds = orders.map(({ clientOrderId }) => clientOrderId);
  await expect(exchange.orders.getOrders({ clientOrderIds })).rejects.toMatchObject(refusal);
});

test('get: known orders are reported, others named', async () => {
  const [wanted, unknown] = [order(sink.url), randomUUID()];
  await submit(wanted);
  const found = await exchange.orders.getOrders({ clientOrderIds: [unknown, wanted.clientOrderId] });
  expect(found.unknownClientOrderIds).toEqual([unknown]);
  expect(found.reports).toEqual([await reportOf(wanted)]);
});

test.each([
  ['a buy', Side.SIDE_BUY, '20.0200', '20.0200'],
  ['a sell', Side.SIDE_SELL, '20.0100', '20.0100'],
] as const)('match: %s at its limit is filled whole at the market', async (_what, side, limitPrice, price) => {
  await exchange.simulator.setQuote({ ticker: 'INTC', bid: '20.0100', ask: '20.0200' });
  const wanted = order(sink.url, { ticker: 'INTC', side, limitPrice, quantity: 7 });
  await submit(wanted);
  const report = await reportOf(wanted);
  expect(report).toMatchObject({ state: OrderState.ORDER_STATE_FILLED, price, quantity: 7, side, ticker: 'INTC' });
  expect(report.executionId).not.toBe('');
  expect(report.executedAt).toBeInstanceOf(Date);
});

test.each([
  ['a buy below the ask', { ticker: 'F', limitPrice: '12.0199' }, RejectReason.REJECT_REASON_LIMIT_EXCEEDED],
  [
    'a sell above the bid',
    { ticker: 'F', side: Side.SIDE_SELL, limitPrice: '12.0101' },
    RejectReason.REJECT_REASON_LIMIT_EXCEEDED,
  ],
  ['a halted ticker', { ticker: 'GM' }, RejectReason.REJECT_REASON_HALTED],
  ['an unknown ticker', { ticker: 'NOSUCH' }, RejectReason.REJECT_REASON_UNKNOWN_TICKER],
  ['a ticker without a quote', { ticker: 'GE' }, RejectReason.REJECT_REASON_OTHER],
])('match: %s is accepted and reported as rejected', async (_what, change, rejectReason) => {
  await exchange.simulator.setQuote({ ticker: 'F', bid: '12.0100', ask: '12.0200' });
  await exchange.simulator.setQuote({ ticker: 'GM', bid: '40.0100', ask: '40.0200', halted: true });
  await exchange.simulator.setQuote({ ticker: 'GE' });
  const wanted = order(sink.url, change);
  expect((await submit(wanted)).outcome).toBe(ACCEPTED);
  const report = await reportOf(wanted);
  expect(report).toMatchObject({ state: OrderState.ORDER_STATE_REJECTED, rejectReason, price: '', executionId: '' });
  expect(report.rejectMessage).not.toBe('');
});

test('latency: an order is open until its time has come', async () => {
  await exchange.simulator.setBehaviour({ behaviour: { latencyMinMs: 50, latencyMaxMs: 100 } });
  const orders = Array.from({ length: 30 }, () => order(sink.url));
  await exchange.orders.submitOrders({ orders });
  for (const wanted of orders) expect((await reportOf(wanted)).state).toBe(OrderState.ORDER_STATE_FILLED);
  await exchange.simulator.setBehaviour({});
});

test('every order of a journal has its own sequence and execution id', async () => {
  const journal = await exchange.journal();
  expect(journal.map(({ sequence }) => Number(sequence))).toEqual(journal.map((_entry, i) => i + 1));
  const executionIds = journal.map(({ report }) => report?.executionId).filter((id) => id !== '');
  expect(new Set(executionIds).size).toBe(executionIds.length);
});

test('limits: 1,000 callback URLs are owed reports at most; those that got theirs make room', async () => {
  // URLs that do not answer are tried rarely.
  const patience = { EXCHANGE_CALLBACK_BACKOFF_BASE_MS: '5000', EXCHANGE_CALLBACK_BACKOFF_MAX_MS: '10000' };
  const small = await startExchange(patience);
  const submitTo = (url: string) => {
    const orders = Array.from({ length: 1_000 }, (_, i) => order(`${url}/${i}`));
    return small.orders.submitOrders({ orders }, SLOW);
  };
  const before = sink.reports().length;
  await submitTo(sink.url);
  // Reported twice is reported: a sink may answer late.
  const reported = () =>
    new Set(
      sink
        .reports()
        .slice(before)
        .map(({ clientOrderId }) => clientOrderId),
    ).size;
  await eventually('all reported', () => reported() === 1_000);
  await eventually('all delivered', async () => (await small.journal()).every(({ delivered }) => delivered));
  await submitTo('http://127.0.0.1:1');
  await submitTo('http://127.0.0.1:1');
  await expect(submitTo(sink.url)).rejects.toMatchObject({ code: Status.RESOURCE_EXHAUSTED, details: { retryAfterMs: 5_000 } });
  await small.stop();
});

test('limits: more open orders than allowed are refused, with when to try again', async () => {
  const small = await startExchange({ EXCHANGE_MAX_OPEN_ORDERS: '10', EXCHANGE_MANUAL: 'on' });
  await small.orders.submitOrders({ orders: Array.from({ length: 10 }, () => order(sink.url)) });
  await expect(small.orders.submitOrders({ orders: [order(sink.url)] })).rejects.toMatchObject({
    code: Status.RESOURCE_EXHAUSTED,
    details: { retryAfterMs: 1_000 },
  });
  await small.stop();
});

test('submit: an order that was rejected because the market was closed is accepted again as a further attempt, once', async () => {
  const manual = await startExchange({ EXCHANGE_MANUAL: 'on' });
  const wanted = order(sink.url);
  const send = async (change: Partial<Order>) => {
    const { results } = await manual.orders.submitOrders({ orders: [{ ...wanted, ...change }] });
    return results[0]?.outcome;
  };
  const known = async () => (await manual.orders.getOrders({ clientOrderIds: [wanted.clientOrderId] })).reports;
  const complete = (how: object) => manual.simulator.completeOrder({ clientOrderId: wanted.clientOrderId, ...how });
  const closed = { rejectReason: RejectReason.REJECT_REASON_MARKET_CLOSED };
  expect(await send({})).toBe(ACCEPTED);
  expect(await send({ attempt: 1 })).toBe(SubmitOutcome.SUBMIT_OUTCOME_CONFLICT);
  await complete(closed);
  expect(await send({})).toBe(ACCEPTED);
  expect(await known()).toMatchObject([{ state: OrderState.ORDER_STATE_REJECTED, attempt: 0 }]);
  const dearer = { attempt: 1, limitPrice: '1100.0000' };
  expect(await Promise.all([send(dearer), send(dearer), send({})])).toEqual([ACCEPTED, ACCEPTED, ACCEPTED]);
  expect(await known()).toMatchObject([{ state: OrderState.ORDER_STATE_OPEN, attempt: 1, limitPrice: '1100.0000' }]);
  await complete({ price: '10.0000' });
  const filled = (await known())[0];
  expect(filled).toMatchObject({ state: OrderState.ORDER_STATE_FILLED, attempt: 1 });
  expect(await send({ attempt: 2 })).toBe(SubmitOutcome.SUBMIT_OUTCOME_CONFLICT);
  expect((await manual.journal()).map(({ order: each }) => each?.attempt)).toEqual([1]);
  await eventually('the report of the second attempt', () =>
    sink.reports().find(({ executionId }) => executionId === filled?.executionId),
  );
  await manual.stop();
});
