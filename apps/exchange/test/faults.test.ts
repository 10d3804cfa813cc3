import { Status } from '@stockbroker/rpc';
import { type Behaviour, OrderState, RejectReason } from '@stockbroker/rpc/exchange';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { cleanUp, eventually, grpcSink, httpSink, order, type Sink, startExchange, type TestExchange } from './harness.ts';

afterAll(cleanUp);

let exchange: TestExchange;
let sink: Sink;

beforeAll(async () => {
  exchange = await startExchange();
});
afterAll(() => exchange.stop());
beforeEach(async () => {
  sink = await httpSink();
});
afterEach(async () => {
  await behave({});
  await sink.close();
});

function behave(behaviour: Partial<Behaviour>) {
  return exchange.simulator.setBehaviour({ behaviour });
}

async function submit(count = 1): Promise<string[]> {
  const orders = Array.from({ length: count }, () => order(sink.url));
  await exchange.orders.submitOrders({ orders });
  return orders.map(({ clientOrderId }) => clientOrderId);
}

function reported(count: number) {
  return eventually(`${count} reports`, () => sink.reports().length >= count && sink.reports());
}

async function entriesOf(ids: string[]) {
  return (await exchange.journal()).filter((entry) => ids.includes(entry.order?.clientOrderId ?? ''));
}

test('rejectRate: orders are rejected at random', async () => {
  await behave({ rejectRate: 1 });
  await submit();
  expect(await reported(1)).toMatchObject([{ rejectReason: RejectReason.REJECT_REASON_OTHER }]);
});

test('duplicateRate: each report comes twice, the same', async () => {
  await behave({ duplicateRate: 1 });
  const ids = await submit(20);
  const reports = await reported(40);
  for (const id of ids) {
    const [first, second, ...more] = reports.filter(({ clientOrderId }) => clientOrderId === id);
    expect(second).toEqual(first);
    expect(more).toEqual([]);
  }
});

test('dropRate: no report comes, although the order is complete; not even after a restart', async () => {
  await behave({ dropRate: 1 });
  const dropped = await submit(5);
  await behave({});
  const [told] = await submit();
  expect(await reported(1)).toMatchObject([{ clientOrderId: told }]);
  const { reports } = await exchange.orders.getOrders({ clientOrderIds: dropped });
  expect(reports.every(({ state }) => state === OrderState.ORDER_STATE_FILLED)).toBe(true);
  expect((await entriesOf(dropped)).map(({ delivered }) => delivered)).toEqual(Array(5).fill(false));

  await exchange.kill();
  exchange = await startExchange({}, exchange.dataDir);
  const [after] = await submit();
  await eventually('the report of a later order', () => sink.reports().some(({ clientOrderId }) => clientOrderId === after));
  expect(sink.reports().filter(({ clientOrderId }) => dropped.includes(clientOrderId))).toEqual([]);
});

test('repeatExecutionRate: a fill is first reported with an earlier one’s execution id, then truly', async () => {
  const [first = ''] = await submit();
  const [before] = await reported(1);
  await eventually('its delivery', async () => (await entriesOf([first]))[0]?.delivered);
  await behave({ repeatExecutionRate: 1 });
  const [second] = await submit();
  const [, repeated, truth] = await reported(3);
  expect(repeated).toMatchObject({ clientOrderId: second, executionId: before?.executionId });
  expect(truth).toMatchObject({ clientOrderId: second });
  expect(truth?.executionId).not.toBe(before?.executionId);
});

test('breakLimitRate: a fill is beyond its limit, and the journal says so', async () => {
  await behave({ breakLimitRate: 1 });
  const ids = await submit(3);
  await reported(3);
  for (const { order: placed, report } of await entriesOf(ids))
    expect(Number(report?.price)).toBeGreaterThan(Number(placed?.limitPrice));
});

test('conflictRate: each report is followed by one that contradicts it', async () => {
  await behave({ conflictRate: 1 });
  const ids = [...(await submit(10)), ...(await rejected(10))];
  const reports = await reported(40);
  const { reports: truths } = await exchange.orders.getOrders({ clientOrderIds: ids });
  for (const truth of truths) {
    const [first, second] = reports.filter(({ clientOrderId }) => clientOrderId === truth.clientOrderId);
    expect(first).toEqual(truth);
    expect([second?.state, second?.price, second?.executionId]).not.toEqual([truth.state, truth.price, truth.executionId]);
    expect(second?.state === OrderState.ORDER_STATE_FILLED).toBe(second?.price !== '');
  }
});

async function rejected(count: number): Promise<string[]> {
  const orders = Array.from({ length: count }, () => order(sink.url, { ticker: 'NOSUCH' }));
  await exchange.orders.submitOrders({ orders });
  return orders.map(({ clientOrderId }) => clientOrderId);
}

test('lateRate: a late report is overtaken by later ones', async () => {
  await behave({ lateRate: 1, lateMs: 600_000 });
  await submit();
  await behave({});
  const [later] = await submit();
  expect(await reported(1)).toMatchObject([{ clientOrderId: later }]);
});

test('lateRate: a late report comes', async () => {
  await behave({ lateRate: 1, lateMs: 50 });
  const [late] = await submit();
  expect(await reported(1)).toMatchObject([{ clientOrderId: late }]);
});

test('reorderRate: the reports of a batch come shuffled, and all of them', async () => {
  await behave({ reorderRate: 1 });
  const ids = await submit(100);
  const order = (await reported(100)).map(({ clientOrderId }) => clientOrderId);
  expect(order).not.toEqual(ids);
  expect(order.toSorted()).toEqual(ids.toSorted());
});

test('unavailable: calls and quote streams end with UNAVAILABLE; the switch itself still works', async () => {
  const stream = exchange.orders.streamQuotes({})[Symbol.asyncIterator]();
  await stream.next();
  await behave({ unavailable: true });
  const unavailable = { code: Status.UNAVAILABLE };
  await expect(submit()).rejects.toMatchObject(unavailable);
  await expect(exchange.orders.getOrders({ clientOrderIds: ['x'] })).rejects.toMatchObject(unavailable);
  const rest = async () => {
    while (!(await stream.next()).done);
  };
  await expect(rest()).rejects.toMatchObject(unavailable);
  await behave({});
  await submit();
  await reported(1);
});

test('swallowAnswers: the orders are taken but the call is never answered', async () => {
  await behave({ swallowAnswers: true });
  const wanted = order(sink.url);
  const patience = new AbortController();
  let answered = false;
  const call = exchange.orders.submitOrders({ orders: [wanted] }, { signal: patience.signal }).then(() => {
    answered = true;
  });
  call.catch(() => {}); // It is looked at below.
  expect(await reported(1)).toMatchObject([{ clientOrderId: wanted.clientOrderId }]);
  expect(answered).toBe(false);
  patience.abort();
  await expect(call).rejects.toMatchObject({ code: Status.CANCELLED });
});

test('manual: an order is open until it is completed by hand, whatever the market says', async () => {
  await behave({ manual: true });
  const [filled = '', refused = '', left = ''] = await submit(3);
  const { reports } = await exchange.orders.getOrders({ clientOrderIds: [filled] });
  expect(reports).toMatchObject([{ state: OrderState.ORDER_STATE_OPEN, price: '', executionId: '' }]);

  const { report } = await exchange.simulator.completeOrder({ clientOrderId: filled, price: '7.0000' });
  expect(report).toMatchObject({ state: OrderState.ORDER_STATE_FILLED, price: '7.0000' });
  await exchange.simulator.completeOrder({
    clientOrderId: refused,
    rejectReason: RejectReason.REJECT_REASON_MARKET_CLOSED,
    rejectMessage: 'closed',
  });
  expect((await reported(2)).toSorted((a, b) => a.state - b.state)).toMatchObject([
    { clientOrderId: filled, price: '7.0000' },
    { clientOrderId: refused, rejectReason: RejectReason.REJECT_REASON_MARKET_CLOSED, rejectMessage: 'closed' },
  ]);
  const again = exchange.simulator.completeOrder({ clientOrderId: filled, price: '8.0000' });
  await expect(again).rejects.toMatchObject({ code: Status.FAILED_PRECONDITION });

  await behave({ manual: false });
  expect((await reported(3))[2]).toMatchObject({ clientOrderId: left, state: OrderState.ORDER_STATE_FILLED });
});

test.each([
  ['http', httpSink],
  ['grpc', grpcSink],
] as const)('sendReport over %s: the report goes out as it is, once, and the answer is told', async (_protocol, openSink) => {
  const target = await openSink();
  const reports = [{ clientOrderId: 'made up', state: OrderState.ORDER_STATE_FILLED, price: 'free' }];
  target.answer = () => 503;
  const failed = await exchange.simulator.sendReport({ callbackUrl: target.url, reports });
  expect(failed).toMatchObject({ delivered: false, answer: expect.stringMatching(/503|UNAVAILABLE/) });
  target.answer = () => 200;
  expect(await exchange.simulator.sendReport({ callbackUrl: target.url, reports })).toMatchObject({ delivered: true });
  expect(target.reports()).toMatchObject(reports);
  expect(target.callbacks).toHaveLength(2);
  await target.close();
});

test.each<[string, Partial<Behaviour>]>([
  ['a rate above 1', { dropRate: 1.5 }],
  ['a rate below 0', { lateRate: -1 }],
  ['a rate that is no number', { lateRate: Number.NaN }],
  ['latencies the wrong way round', { latencyMinMs: 2, latencyMaxMs: 1 }],
  ['a negative wait', { lateMs: -1 }],
])('setBehaviour: %s is refused', async (_what, behaviour) => {
  await expect(behave(behaviour)).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT });
});

test('setQuote and completeOrder: nonsense is refused', async () => {
  const { simulator } = exchange;
  const invalid = { code: Status.INVALID_ARGUMENT };
  await expect(simulator.setQuote({ ticker: 'NOSUCH' })).rejects.toMatchObject({ code: Status.NOT_FOUND });
  await expect(simulator.setQuote({ ticker: 'AAPL', bid: '1' })).rejects.toMatchObject(invalid);
  await expect(simulator.setQuote({ ticker: 'AAPL', ask: '-1.0000' })).rejects.toMatchObject(invalid);
  const clientOrderId = 'none';
  await expect(simulator.completeOrder({ clientOrderId, price: '1' })).rejects.toMatchObject(invalid);
  await expect(simulator.completeOrder({ clientOrderId, rejectReason: 99 as RejectReason })).rejects.toMatchObject(invalid);
  await expect(simulator.completeOrder({ clientOrderId })).rejects.toMatchObject({ code: Status.FAILED_PRECONDITION });
});
