import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { Status as StatusMessage } from '../src/generated/google/rpc/status.ts';
import { Status } from '../src/index.ts';
import { Trade } from '../src/stockbroker.ts';
import {
  asJson,
  type Body,
  BUY,
  framed,
  MAX_BYTES,
  ORIGIN,
  openWeb,
  order,
  PLACE,
  QUOTES,
  statusOf,
  unframed,
  unlucky,
  until,
  webProto,
} from './webFixture.ts';

let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb();
});
afterAll(() => web.close());

test('JSON: a call as curl makes it, with names of enums in short, in full or as numbers, and fields named either way', async () => {
  for (const [body, headers] of [
    [order(10), { 'content-type': 'application/x-www-form-urlencoded' }],
    [order(10), { ...asJson, authorization: 'Bearer me' }],
    ['{"stock_ticker":"AAPL","type":"TRADE_TYPE_BUY","quantity":10}', asJson],
    ['{"stockTicker":"AAPL","type":1,"quantity":"10"}', { 'content-type': 'Application/JSON; charset=utf-8' }],
  ] as const) {
    const response = await web.post(PLACE, body, headers);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
    const orderId = 'authorization' in headers ? { orderId: 'Bearer me' } : {};
    expect(await response.json()).toEqual({ ...orderId, stockTicker: 'AAPL', type: 'TRADE_TYPE_BUY', quantity: 10 });
  }
  const packed = await web.post(PLACE, gzipSync(order(10)), { ...asJson, 'content-encoding': 'gzip' });
  expect(await packed.json()).toMatchObject({ quantity: 10 });
});

test('JSON: an error has its code, its words, and details for programs and for people', async () => {
  const response = await web.post(PLACE, order(13), asJson);
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '2']);
  const { details, ...error } = (await response.json()) as { details: { type: string; value: string; debug: unknown }[] };
  expect(error).toEqual({ code: 'resource_exhausted', message: 'unlucky: 100 % — no' });
  expect(details.map(({ type, debug }) => [type, debug])).toEqual([
    ['google.rpc.ErrorInfo', { reason: 'UNLUCKY', domain: 'stockbroker', metadata: { needed: '12' } }],
    [
      'google.rpc.BadRequest',
      { fieldViolations: [expect.objectContaining({ field: 'quantity', description: 'must not be 13' })] },
    ],
    ['google.rpc.RetryInfo', { retryDelay: '1.5s' }],
  ]);
  const bug = await web.post('/stockbroker.v1.TradingService/ListTrades', '{}', asJson);
  expect([bug.status, await bug.json()]).toEqual([500, { code: 'internal', message: 'internal' }]);
});

test.each<[string, Body, number, string, string]>([
  ['no JSON', '{"quantity":', 400, 'invalid_argument', 'the body is not JSON: '],
  ['no object', '[1]', 400, 'invalid_argument', 'the body is not a JSON object'],
  ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, 'invalid_argument', 'the body is not JSON: '],
  ['a field of another type', '{"quantity":"many"}', 400, 'invalid_argument', 'quantity'],
  ['a number that is too large', '{"quantity":99999999999}', 400, 'invalid_argument', 'quantity'],
  ['an enum that is not there', '{"type":"HOLD"}', 400, 'invalid_argument', 'field type must be one of BUY, SELL, but is "HOLD"'],
  ['a field that is not there', '{"price":"1"}', 400, 'invalid_argument', 'price'],
  ['a deep nest', '['.repeat(1_000), 400, 'invalid_argument', 'the body is not JSON: '],
  ['too many bytes', `{"stockTicker":"${'A'.repeat(MAX_BYTES)}"}`, 429, 'resource_exhausted', `at most ${MAX_BYTES} bytes`],
])('JSON: %s is answered with what is wrong', async (_what, body, status, code, message) => {
  const response = await web.post(PLACE, body, asJson);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ code, message: expect.stringContaining(message) });
});

test.each(['application/grpc-web+proto', 'application/grpc-web', 'application/grpc-web-text'])(
  '%s: a call, and an error',
  async (type) => {
    const isText = type.endsWith('text');
    const sent = (message: Uint8Array) => (isText ? framed(message).toString('base64') : framed(message));
    const read = async (response: Response) => {
      expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
      const body = Buffer.from(await response.arrayBuffer());
      return unframed(isText ? Buffer.from(String(body), 'base64') : body);
    };
    const { messages, trailers } = await read(await web.post(PLACE, sent(BUY), { 'content-type': type }));
    expect(messages.map((message) => Trade.decode(message))).toMatchObject([{ stockTicker: 'AAPL', quantity: 7 }]);
    expect(trailers).toEqual({ 'grpc-status': '0', 'grpc-message': '' });

    const refused = await read(await web.post(PLACE, sent(unlucky), { 'content-type': type }));
    expect(refused.messages).toEqual([]);
    expect(refused.trailers).toMatchObject({ 'grpc-status': '8', 'grpc-message': 'unlucky: 100 %25 %E2%80%94 no' });
    const details = StatusMessage.decode(Buffer.from(refused.trailers['grpc-status-details-bin'] ?? '', 'base64'));
    expect(details).toMatchObject({ code: 8, message: 'unlucky: 100 % — no', details: { length: 3 } });
  },
);

test('gRPC-Web: compressed messages are read, up to the limit of what comes out; text may come in pieces of base64', async () => {
  const packed = { ...webProto, 'grpc-encoding': 'gzip' };
  expect(await statusOf(await web.post(PLACE, framed(gzipSync(BUY), 1), packed))).toBe('0');
  expect(await statusOf(await web.post(PLACE, framed(gzipSync(Buffer.alloc(1_000_000)), 1), packed))).toBe('8');
  expect(await statusOf(await web.post(PLACE, framed(Buffer.from('no gzip'), 1), packed))).toBe('3');
  expect(await statusOf(await web.post(PLACE, framed(BUY, 1), { ...webProto, 'grpc-encoding': 'br' }))).toBe('12');
  expect(await statusOf(await web.post(PLACE, framed(Buffer.alloc(MAX_BYTES + 1)), webProto))).toBe('8');
  const frame = framed(BUY);
  const pieces = frame.subarray(0, 7).toString('base64') + frame.subarray(7).toString('base64');
  const response = await web.post(PLACE, pieces, { 'content-type': 'application/grpc-web-text' });
  expect(unframed(Buffer.from(await response.text(), 'base64')).trailers['grpc-status']).toBe('0');
});

test('a stream: messages as they come, an error at its end, and no end when the client goes away', async () => {
  const request = framed(Buffer.alloc(0));
  const three = await web.post(QUOTES, request, { ...webProto, 'x-user-agent': 'three' });
  const { messages, trailers } = unframed(Buffer.from(await three.arrayBuffer()));
  expect([messages.length, trailers]).toEqual([3, { 'grpc-status': '10', 'grpc-message': 'enough' }]);

  const leaving = new AbortController();
  const endless = await web.post(
    QUOTES,
    request.toString('base64'),
    { 'content-type': 'application/grpc-web-text' },
    leaving.signal,
  );
  const first = await endless.body?.getReader().read();
  expect(Buffer.from(String(Buffer.from(first?.value ?? [])), 'base64').readUInt32BE(1)).toBeGreaterThan(1_000);
  leaving.abort();
  await until(() => web.server.calls.streams === 0);
  expect(await (await web.post(QUOTES, '{}', asJson)).json()).toMatchObject({ code: 'unimplemented' });
});

test('a stream to a reader that does not read waits, takes no memory meanwhile, and ends in time', async () => {
  const socket = connect(Number(new URL(web.base).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.pause();
  socket.write(
    `POST ${QUOTES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0`,
  );
  await until(() => web.server.calls.streams === 1);
  let before = -1;
  await until(() => {
    const isWaiting = web.streamed.quotes === before && before > 0;
    before = web.streamed.quotes;
    return isWaiting;
  });
  expect(web.streamed.quotes).toBeLessThan(20_000);
  // It is told to call again, and keeps nobody's place until it does.
  await until(() => web.server.calls.streams === 0);
  let end = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    end = `${end}${text}`.slice(-2_000);
  });
  socket.resume();
  await until(() => end.includes('grpc-status:10'));
});

test('deadlines: the client is told when its own has passed, and the handler too', async () => {
  const response = await web.post(PLACE, order(2), { ...asJson, 'connect-timeout-ms': '50' });
  expect([response.status, await response.json()]).toEqual([
    504,
    { code: 'deadline_exceeded', message: 'the deadline has passed' },
  ]);
  expect(await web.aborted).toMatchObject({ code: Status.DEADLINE_EXCEEDED });
  expect(await statusOf(await web.post(QUOTES, framed(Buffer.alloc(0)), { ...webProto, 'grpc-timeout': '100m' }))).toBe('4');
  expect(await statusOf(await web.post(PLACE, framed(BUY), { ...webProto, 'grpc-timeout': 'soon' }))).toBe('3');
  expect((await web.post(PLACE, order(1), { ...asJson, 'connect-timeout-ms': 'soon' })).status).toBe(400);
});

test('what is no call says what to do', async () => {
  const answers = [
    await fetch(web.base + PLACE),
    await web.post(PLACE, 'x', { 'content-type': 'text/plain' }),
    await web.post('/stockbroker.v1.TradingService/Steal', '{}', asJson),
  ];
  expect(answers.map(({ status }) => status)).toEqual([405, 415, 501]);
  const [get = '', type = '', method = ''] = await Promise.all(answers.map((answer) => answer.text()));
  expect([get, type, method]).toEqual([
    'Calls are made by POST to /package.Service/Method.\n',
    expect.stringContaining('application/json'),
    expect.stringContaining('there is no method /stockbroker.v1.TradingService/Steal'),
  ]);
});

test('CORS: pages of the allowed origins may call and read the status, others are refused', async () => {
  const asked = (origin: string) =>
    fetch(web.base + PLACE, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
  const allowed = await asked(ORIGIN);
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, ORIGIN]);
  for (const header of ['authorization', 'content-type', 'x-grpc-web', 'grpc-timeout', 'connect-protocol-version'])
    expect(allowed.headers.get('access-control-allow-headers')?.split(', ')).toContain(header);
  const called = await web.post(PLACE, order(1), { ...asJson, origin: ORIGIN });
  expect(called.headers.get('access-control-expose-headers')).toContain('grpc-status-details-bin');
  expect(called.headers.get('vary')).toBe('accept-encoding, origin');
  const other = await asked('https://evil.example.com');
  expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([403, null]);
});

test('limits: calls of both ways count together', async () => {
  // Nobody reads them, and a busy machine needs a while for all four.
  const patient = await openWeb({ limits: { stallTimeoutMs: 60_000 } });
  onTestFinished(() => void patient.close());
  const waiting = [1, 2].map(() => patient.post(QUOTES, framed(Buffer.alloc(0)), webProto));
  const streams = await Promise.all([...waiting, patient.post(QUOTES, framed(Buffer.alloc(0)), webProto)]);
  expect(patient.server.load.streams).toBe(3);
  expect(await statusOf(await patient.post(QUOTES, framed(Buffer.alloc(0)), webProto))).toBe('8');
  await Promise.all(streams.map((stream) => stream.body?.cancel()));
  await until(() => patient.server.calls.streams === 0);
});

test('whatever is sent is answered, and the server goes on', async () => {
  const types = ['application/json', 'application/grpc-web', 'application/grpc-web-text', 'application/x-www-form-urlencoded'];
  const anything = fc.record({
    type: fc.constantFrom(...types),
    encoding: fc.constantFrom('gzip', 'identity', 'br'),
    path: fc.constantFrom(PLACE, '/', '//', '/x/y?z', '/stockbroker.v1.TradingService/GetAccount'),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.json({ maxDepth: 3 }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 50 }).map((bytes) => framed(bytes, bytes.length % 3)),
    ),
  });
  await fc.assert(
    fc.asyncProperty(anything, async ({ type, encoding, path, body }) => {
      const response = await web.post(path, body, {
        'content-type': type,
        'content-encoding': encoding,
        'grpc-encoding': encoding,
      });
      await response.arrayBuffer();
      expect([200, 400, 404, 429, 501, 500]).toContain(response.status);
      if (response.status === 500) expect(path).toContain('/Get');
    }),
    { numRuns: 200 },
  );
  expect((await web.post(PLACE, order(1), asJson)).status).toBe(200);
});
