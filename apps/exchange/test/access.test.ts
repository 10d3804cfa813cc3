import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { RpcChannel, Status } from '@stockbroker/rpc';
import { ExchangeServiceDefinition, SimulatorServiceDefinition } from '@stockbroker/rpc/exchange';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { API_KEY, cleanUp, order, startExchange, type TestExchange } from './harness.ts';

afterAll(cleanUp);

let exchange: TestExchange;
const channels: RpcChannel[] = [];

beforeAll(async () => {
  exchange = await startExchange({ EXCHANGE_SIMULATOR_SERVICE: 'off' });
});
afterAll(async () => {
  for (const channel of channels) channel.close();
  await exchange.stop();
});

function channelWith(headers: Record<string, string>, address = exchange.address): RpcChannel {
  const channel = new RpcChannel(address, headers);
  channels.push(channel);
  return channel;
}

const UNAUTHENTICATED = { code: Status.UNAUTHENTICATED };

test.each<[string, Record<string, string>]>([
  ['no key', {}],
  ['a wrong key', { authorization: 'Bearer wrong' }],
  ['an empty key', { authorization: 'Bearer ' }],
  ['the key without its scheme', { authorization: API_KEY }],
])('%s: every call is refused as unauthenticated', async (_what, headers) => {
  const client = channelWith(headers).client(ExchangeServiceDefinition);
  await expect(client.submitOrders({ orders: [order('http://localhost:1/')] })).rejects.toMatchObject(UNAUTHENTICATED);
  await expect(client.getOrders({ clientOrderIds: ['x'] })).rejects.toMatchObject(UNAUTHENTICATED);
  await expect(client.listInstruments({})).rejects.toMatchObject(UNAUTHENTICATED);
  await expect(client.streamQuotes({})[Symbol.asyncIterator]().next()).rejects.toMatchObject(UNAUTHENTICATED);
});

test('the simulator service wants the key too', async () => {
  const served = await startExchange();
  const client = channelWith({ authorization: 'Bearer wrong' }, served.address).client(SimulatorServiceDefinition);
  await expect(client.setBehaviour({})).rejects.toMatchObject(UNAUTHENTICATED);
  await expect(client.setQuote({ ticker: 'AAPL' })).rejects.toMatchObject(UNAUTHENTICATED);
  await expect(client.completeOrder({ clientOrderId: 'x' })).rejects.toMatchObject(UNAUTHENTICATED);
  await expect(client.sendReport({ callbackUrl: 'http://localhost:1/' })).rejects.toMatchObject(UNAUTHENTICATED);
  await expect(client.listOrders({})[Symbol.asyncIterator]().next()).rejects.toMatchObject(UNAUTHENTICATED);
  await served.stop();
});

test('the simulator service is off unless it is switched on', async () => {
  const client = channelWith({ authorization: `Bearer ${API_KEY}` }).client(SimulatorServiceDefinition);
  await expect(client.setBehaviour({})).rejects.toMatchObject({ code: Status.UNIMPLEMENTED });
});

test('quote streams have a limit', async () => {
  const small = await startExchange({ EXCHANGE_MAX_QUOTE_STREAMS: '1' });
  const first = small.orders.streamQuotes({})[Symbol.asyncIterator]();
  await first.next();
  const second = small.orders.streamQuotes({})[Symbol.asyncIterator]();
  await expect(second.next()).rejects.toMatchObject({ code: Status.RESOURCE_EXHAUSTED, details: { retryAfterMs: 1_000 } });
  await small.stop();
});

test('metrics and readiness are served', async () => {
  expect((await fetch(`${exchange.admin}/readyz`)).status).toBe(200);
  const metrics = await (await fetch(`${exchange.admin}/metrics`)).text();
  for (const name of [
    'orders_submitted_total',
    'orders_completed_total',
    'reports_total',
    'undelivered_reports',
    'open_orders',
  ]) {
    expect(metrics).toContain(`exchange_${name}`);
  }
});

test('a start without its secrets says what is missing', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../src/main.ts')], { env: { PATH: process.env.PATH } });
  const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(code).toBe(78);
  expect(errors).toContain('EXCHANGE_API_KEY');
  expect(errors).toContain('EXCHANGE_CALLBACK_SECRET');
});
