import { createHmac } from 'node:crypto';
import { OrderState } from '@stockbroker/rpc/exchange';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  CALLBACK_SECRET,
  cleanUp,
  eventually,
  grpcSink,
  httpSink,
  order,
  type Sink,
  SLOW,
  startExchange,
  type TestExchange,
} from './harness.ts';

afterAll(cleanUp);

let exchange: TestExchange;
const sinks: Sink[] = [];

beforeAll(async () => {
  exchange = await startExchange();
});
afterAll(() => exchange.stop());
afterEach(async () => {
  await Promise.all(sinks.splice(0).map((sink) => sink.close()));
});

async function open(sink: Promise<Sink>): Promise<Sink> {
  sinks.push(await sink);
  return sink;
}

/** Submits so many orders, in one request for each 1,000. */
async function submit(sink: Sink, count: number): Promise<string[]> {
  const orders = Array.from({ length: count }, () => order(sink.url));
  for (let i = 0; i < count; i += 1_000) await exchange.orders.submitOrders({ orders: orders.slice(i, i + 1_000) }, SLOW);
  return orders.map(({ clientOrderId }) => clientOrderId);
}

async function delivered(sink: Sink, count: number): Promise<string[]> {
  await eventually(`${count} reports`, () => sink.reports().length >= count);
  return sink.reports().map(({ clientOrderId }) => clientOrderId);
}

test('http: reports come as protobuf JSON, signed as Standard Webhooks has it', async () => {
  const sink = await open(httpSink());
  await submit(sink, 1);
  await delivered(sink, 1);
  const [callback] = sink.callbacks;
  if (callback === undefined) throw new Error('no callback');
  const { headers, body } = callback;
  const payload = new Webhook(CALLBACK_SECRET).verify(body, headers);
  expect(payload).toMatchObject({ reports: [{ state: 'ORDER_STATE_FILLED', side: 'SIDE_BUY', quantity: 10 }] });
  expect(headers['content-type']).toBe('application/json');
});

test('grpc: reports come as ReportOrders, signed over the serialised request', async () => {
  const sink = await open(grpcSink());
  await submit(sink, 3);
  await delivered(sink, 3);
  const [callback] = sink.callbacks;
  if (callback === undefined) throw new Error('no callback');
  const { headers, body, reports } = callback;
  expect(reports[0]?.state).toBe(OrderState.ORDER_STATE_FILLED);
  const key = Buffer.from(CALLBACK_SECRET.slice('whsec_'.length), 'base64');
  const mac = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`).update(body);
  expect(headers['webhook-signature']).toBe(`v1,${mac.digest('base64')}`);
});

test.each([
  ['http', httpSink],
  ['grpc', grpcSink],
] as const)(
  '%s: a callback is repeated, whole and under its id, until it is answered with success',
  async (_protocol, openSink) => {
    const sink = await open(openSink());
    let failures = 0;
    sink.answer = () => {
      failures += 1;
      return failures <= 4 ? 503 : 200;
    };
    const ids = await submit(sink, 5);
    expect(await delivered(sink, 5)).toEqual(ids);
    expect(sink.callbacks).toHaveLength(5);
    expect(new Set(sink.callbacks.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(sink.callbacks.every(({ reports }) => reports.length === 5)).toBe(true);
    await eventually('delivered in the journal', async () => {
      const mine = (await exchange.journal()).filter((entry) => ids.includes(entry.order?.clientOrderId ?? ''));
      return mine.length === 5 && mine.every((entry) => entry.delivered);
    });
  },
);

test.each([302, 404, 500])('http: %i is not success', async (status) => {
  const sink = await open(httpSink());
  sink.answer = () => (sink.callbacks.length === 1 ? status : 200);
  await submit(sink, 1);
  await delivered(sink, 1);
  expect(sink.callbacks).toHaveLength(2);
});

test.each([
  ['http', httpSink],
  ['grpc', grpcSink],
] as const)('%s: no answer in time is not success', async (_protocol, openSink) => {
  const sink = await open(openSink());
  const impatient = await startExchange({ EXCHANGE_CALLBACK_TIMEOUT_MS: '300' });
  let release = () => {};
  const held = new Promise<number>((resolve) => {
    release = () => resolve(200);
  });
  sink.answer = () => (sink.callbacks.length === 1 ? held : 200);
  await impatient.orders.submitOrders({ orders: [order(sink.url)] });
  await delivered(sink, 1);
  expect(sink.callbacks.length).toBeGreaterThan(1);
  release();
  await impatient.stop();
});

test('a server that does not listen yet gets its reports when it does', async () => {
  const closed = await httpSink();
  await closed.close();
  const ids = await submit(closed, 2);
  const sink = await open(httpSink(Number(new URL(closed.url).port)));
  expect(await delivered(sink, 2)).toEqual(ids);
});

test('a callback that always fails does not stop the others', async () => {
  const sink = await open(httpSink());
  sink.answer = () => 500;
  const [poison] = await submit(sink, 1);
  await eventually('the first failure', () => sink.callbacks.length > 0);
  sink.answer = ({ reports }) => (reports.some(({ clientOrderId }) => clientOrderId === poison) ? 500 : 200);
  const ids = [...(await submit(sink, 400)), ...(await submit(sink, 400))];
  expect(new Set(await delivered(sink, 800))).toEqual(new Set(ids));
  sink.answer = () => 200;
  expect(await delivered(sink, 801)).toContain(poison);
});

test('first attempts come in the order of completion, in batches of at most 256', async () => {
  const sink = await open(httpSink());
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  sink.answer = () => held.then(() => 200);
  const ids = await submit(sink, 2_000);
  release();
  await delivered(sink, 2_000);
  expect(sink.callbacks.flatMap(({ reports }) => reports.map(({ clientOrderId }) => clientOrderId))).toEqual(ids);
  expect(Math.max(...sink.callbacks.map(({ reports }) => reports.length))).toBe(256);
});

test('a backlog beyond the memory is paged from disk: each report comes, and once', async () => {
  const sink = await open(httpSink());
  sink.answer = () => 503;
  const ids = await submit(sink, 14_000);
  sink.answer = () => 200;
  expect(new Set(await delivered(sink, 14_000))).toEqual(new Set(ids));
  expect(sink.reports()).toHaveLength(14_000);
});

test('a stopped exchange leaves undelivered reports to the next one', async () => {
  const sink = await open(httpSink());
  sink.answer = () => 503;
  const first = await startExchange();
  const orders = Array.from({ length: 20 }, () => order(sink.url));
  await first.orders.submitOrders({ orders });
  await eventually('an attempt', () => sink.callbacks.length > 0);
  expect(await first.stop()).toBe(0);
  sink.answer = () => 200;
  const second = await startExchange({}, first.dataDir);
  expect(await delivered(sink, 20)).toEqual(orders.map(({ clientOrderId }) => clientOrderId));
  await second.stop();
});
