import { Status } from '@stockbroker/rpc';
import { OrderState } from '@stockbroker/rpc/exchange';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cleanUp, httpSink, order, type Sink, startExchange, type TestExchange } from './harness.ts';

afterAll(cleanUp);

let exchange: TestExchange;
let sink: Sink;

/** Ids in order: 1,200 of one hour, one before it, one after it. */
const idOf = (time: string, number: number) => `${time}-0000-7000-8000-${String(number).padStart(12, '0')}`;
const HOUR = Array.from({ length: 1_200 }, (_, i) => idOf('11111111', i));
const BEFORE = idOf('01111111', 0);
const AFTER = idOf('21111111', 0);

beforeAll(async () => {
  exchange = await startExchange({ EXCHANGE_MANUAL: 'on' });
  sink = await httpSink();
  // Submitted in the reverse order: the report is by id.
  const orders = [BEFORE, ...HOUR, AFTER].toReversed().map((clientOrderId) => order(sink.url, { clientOrderId }));
  for (let i = 0; i < orders.length; i += 1_000) await exchange.orders.submitOrders({ orders: orders.slice(i, i + 1_000) });
});
afterAll(async () => {
  await exchange.stop();
  await sink.close();
});

async function listed(fromClientOrderId: string, beforeClientOrderId: string) {
  const pages = await Array.fromAsync(exchange.orders.listOrders({ fromClientOrderId, beforeClientOrderId }));
  return pages.map(({ reports }) => reports);
}

test('list orders: the orders of a range, each once, in order of id, in pages of at most 500', async () => {
  const pages = await listed('10000000', '20000000');
  expect(pages.map((page) => page.length)).toEqual([500, 500, 200]);
  expect(pages.flat().map(({ clientOrderId }) => clientOrderId)).toEqual(HOUR);
});

test('list orders: the first id belongs to the range, the last does not; without them it is everything', async () => {
  const ids = async (from: string, before: string) =>
    (await listed(from, before)).flat().map(({ clientOrderId }) => clientOrderId);
  expect(await ids(BEFORE, HOUR[1] ?? '')).toEqual([BEFORE, HOUR[0]]);
  expect(await ids('', '')).toEqual([BEFORE, ...HOUR, AFTER]);
  expect(await ids('f0000000', '')).toEqual([]);
});

test('list orders: each order is as it is now', async () => {
  await exchange.simulator.completeOrder({ clientOrderId: BEFORE, price: '12.3400' });
  const [filled, open] = (await listed('', idOf('11111111', 1))).flat();
  expect(filled).toMatchObject({ clientOrderId: BEFORE, state: OrderState.ORDER_STATE_FILLED, price: '12.3400', ticker: 'AAPL' });
  expect(open).toMatchObject({ clientOrderId: HOUR[0], state: OrderState.ORDER_STATE_OPEN, price: '' });
});

test('list orders: needs the API key, and the exchange to be available', async () => {
  const list = (headers: Record<string, string>) => Array.fromAsync(exchange.orders.listOrders({}, { headers }));
  await expect(list({ authorization: 'Bearer other' })).rejects.toMatchObject({ code: Status.UNAUTHENTICATED });
  await exchange.simulator.setBehaviour({ behaviour: { manual: true, unavailable: true } });
  await expect(list({})).rejects.toMatchObject({ code: Status.UNAVAILABLE });
});
