import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { GrpcCaller } from '../../../test/hostile/grpcCall.ts';
import { grpcMessage } from '../../../test/hostile/http2Frames.ts';
import { BROKEN_TIMEOUTS, HUGE_TIMEOUTS, PASSED_TIMEOUTS } from '../../../test/hostile/timeouts.ts';
import { RpcChannel, Status } from '../src/index.ts';
import { TradingServiceDefinition } from '../src/stockbroker.ts';
import { asJson, BUY, framed, openWeb, order, PLACE, statusOf, webProto } from './webFixture.ts';

let web: Awaited<ReturnType<typeof openWeb>>;
let caller: GrpcCaller;
beforeAll(async () => {
  web = await openWeb();
  caller = new GrpcCaller(`127.0.0.1:${web.grpcPort}`);
});
afterAll(async () => {
  caller.close();
  await web.close();
});
beforeEach(() => {
  web.calls.length = 0;
});

/** The code of a good call with this deadline, over gRPC and gRPC-Web; and how often it was done. */
async function answersTo(timeout: string): Promise<{ codes: number[]; done: number }> {
  // A header that is no ASCII cannot be sent by fetch.
  const sent = Buffer.from(timeout).toString('latin1');
  const overGrpc = await caller.call({ path: PLACE, headers: { 'grpc-timeout': sent }, body: grpcMessage(Buffer.from(BUY)) });
  const overWeb = await statusOf(await web.post(PLACE, framed(BUY), { ...webProto, 'grpc-timeout': sent }));
  return { codes: [overGrpc.code ?? -1, Number(overWeb)], done: web.calls.length };
}

test.each(BROKEN_TIMEOUTS)('deadlines: %j is no grpc-timeout: INVALID_ARGUMENT, and nothing is done', async (timeout) => {
  expect(await answersTo(timeout)).toEqual({ codes: Array(2).fill(Status.INVALID_ARGUMENT), done: 0 });
});

test.each(PASSED_TIMEOUTS)('deadlines: %s is over before it begins: DEADLINE_EXCEEDED, and nothing is done', async (timeout) => {
  expect(await answersTo(timeout)).toEqual({ codes: Array(2).fill(Status.DEADLINE_EXCEEDED), done: 0 });
});

test.each(HUGE_TIMEOUTS)('deadlines: %s is a day at most, and the call is done and answered', async (timeout) => {
  const before = Date.now();
  expect(await answersTo(timeout)).toEqual({ codes: [Status.OK, Status.OK], done: 2 });
  for (const deadline of web.deadlines.slice(-2))
    expect(deadline).toSatisfy((date: Date) => date.getTime() > before && date.getTime() <= Date.now() + 24 * 3_600_000);
});

test.each<[string, number, number]>([
  ['', 400, 0],
  ['-1', 400, 0],
  ['1e3', 400, 0],
  ['0x10', 400, 0],
  ['10000000000', 400, 0],
  ['0', 504, 0],
  ['2147483648', 200, 1],
  ['9999999999', 200, 1],
])('deadlines: connect-timeout-ms: %j is answered %i', async (timeout, status, done) => {
  const response = await web.post(PLACE, order(7), { ...asJson, 'connect-timeout-ms': timeout });
  expect([response.status, web.calls.length]).toEqual([status, done]);
});

test('deadlines: a refused call leaves its connection, and the next one on it is served', async () => {
  await caller.call({ path: PLACE, headers: { 'grpc-timeout': 'soon' }, body: grpcMessage(Buffer.from(BUY)) });
  await caller.call({ path: PLACE, headers: { 'grpc-timeout': 'soon' }, ends: false });
  expect(await caller.call({ path: PLACE, body: grpcMessage(Buffer.from(BUY)) })).toMatchObject({ code: Status.OK });
  expect(caller.isOpen).toBe(true);
});

test.each([2 ** 31, 99_999_999 * 3_600_000, 1e30, Number.POSITIVE_INFINITY])(
  'deadlines: our own client may be told to wait for %d ms',
  async (timeoutMs) => {
    const channel = new RpcChannel(`127.0.0.1:${web.grpcPort}`);
    const placed = channel
      .client(TradingServiceDefinition)
      .placeTrade({ stockTicker: 'AAPL', type: 1, quantity: 7 }, { timeoutMs });
    await expect(placed.finally(() => channel.close())).resolves.toMatchObject({ quantity: 7 });
  },
);
