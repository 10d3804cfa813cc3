import { once } from 'node:events';
import { constants } from 'node:http2';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callHeaders, FLAG, frame, HELLO, hpack, TYPE, uint32 } from '../../../test/hostile/http2Frames.ts';
import { PemFiles } from '../../../test/support/certificates.ts';
import { answerOf, authority, closed, open2, openTls, over1, over2 } from '../../../test/support/tlsClients.ts';
import { TlsSource } from '../src/index.ts';
import { Trade } from '../src/stockbroker.ts';
import { asJson, BUY, framed, ORIGIN, openWeb, order, PLACE, QUOTES, unframed, until, webProto } from './webFixture.ts';

/** At once on one connection; fewer than nghttp2's own limit of resets. */
const CALLS = 300;
const files = new PemFiles();
let source: TlsSource;
let web: Awaited<ReturnType<typeof openWeb>>;
/** The same with little patience: yet more than a good client of a busy machine needs. */
let strict: Awaited<ReturnType<typeof openWeb>>;
/** With few connections. */
let few: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  source = await TlsSource.open({ ...files.writePair('server', await authority.issue('server')), ca: '' });
  web = await openWeb({ tls: source, limits: { maxCallsPerConnection: CALLS } });
  strict = await openWeb({
    tls: source,
    limits: { requestTimeoutMs: 2_000, stallTimeoutMs: 2_000, idleTimeoutMs: 3_000, maxCallsPerConnection: 20 },
  });
  few = await openWeb({ tls: source, limits: { maxConnections: 10 } });
});
afterAll(async () => {
  await Promise.all([web.close(), strict.close(), few.close()]);
  source.stop();
  files.remove();
});

const post = (path: string, headers: Record<string, string>) => ({ ':method': 'POST', ':path': path, ...headers });

test('one port speaks HTTP/1.1 and HTTP/2: JSON, gRPC-Web, the page, CORS and what is no call', async () => {
  const session = open2(web.port);
  const [first, second] = [
    await over1(web.port, PLACE, { method: 'POST', headers: asJson }, order(7)),
    await over2(session, post(PLACE, asJson), order(7)),
  ];
  expect(first.status).toBe(200);
  expect(second.status).toBe(200);
  expect(second.body).toEqual(first.body);
  expect(session.alpnProtocol).toBe('h2');
  expect(second.headers).not.toHaveProperty('connection');

  const called = session.request(post(PLACE, { ...webProto, authorization: 'me' })).end(framed(BUY));
  const { messages, trailers } = unframed((await answerOf(called)).body);
  expect(trailers).toMatchObject({ 'grpc-status': '0' });
  expect(Trade.decode(messages[0] ?? Buffer.alloc(0))).toMatchObject({ orderId: 'me', quantity: 7 });

  expect((await over1(web.port, '/')).body).toHaveLength(40_000);
  expect(await over2(session, { ':path': '/' })).toMatchObject({ status: 200, body: Buffer.from('page'.repeat(10_000)) });
  const head = await over2(session, { ':path': '/', ':method': 'HEAD' });
  expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '40000', 0]);
  expect(await over2(session, { ':path': '/none' })).toMatchObject({ status: 404 });
  expect(await over2(session, post(PLACE, { ...asJson, origin: ORIGIN }), order(7))).toMatchObject({
    headers: { 'access-control-allow-origin': ORIGIN },
  });
  const preflight = { ':method': 'OPTIONS', ':path': PLACE, origin: ORIGIN, 'access-control-request-method': 'POST' };
  expect(await over2(session, preflight)).toMatchObject({ status: 204, headers: { 'access-control-allow-methods': 'POST' } });
  expect(await over2(session, { ':method': 'DELETE', ':path': PLACE })).toMatchObject({ status: 405 });
  expect(await over2(session, post(PLACE, { 'content-type': 'text/html' }), 'x')).toMatchObject({ status: 415 });
  session.close();
});

test('an error comes with its details over HTTP/2 as over HTTP/1.1', async () => {
  const session = open2(web.port);
  const [first, second] = [
    await over1(web.port, PLACE, { method: 'POST', headers: asJson }, order(13)),
    await over2(session, post(PLACE, asJson), order(13)),
  ];
  expect([second.status, second.headers['retry-after']]).toEqual([429, '2']);
  expect(second.body).toEqual(first.body);
  session.close();
});

test('a stream over HTTP/2 waits for its reader, and its handler ends when the reader resets it', async () => {
  const session = open2(web.port);
  const stream = session.request(post(QUOTES, webProto)).end(framed(Buffer.alloc(0)));
  await once(stream, 'data');
  stream.pause();
  let last = -1;
  await until(() => {
    const before = last;
    last = web.streamed.quotes;
    return last === before;
  });
  expect(web.server.calls.streams).toBe(1);
  stream.resume();
  await until(() => web.streamed.quotes > last);
  stream.close(constants.NGHTTP2_CANCEL);
  await until(() => web.server.calls.streams === 0);
  expect(await over2(session, post(PLACE, asJson), order(7))).toMatchObject({ status: 200 });
  session.close();
});

test('a call over HTTP/2 that its client resets is cancelled in its handler', async () => {
  const session = open2(web.port);
  const stream = session.request(post(PLACE, asJson)).end(order(2));
  await until(() => web.server.calls.inFlight === 1);
  stream.close(constants.NGHTTP2_CANCEL);
  expect(await web.aborted).toMatchObject({ codeName: 'CANCELLED' });
  await until(() => web.server.calls.inFlight === 0);
  session.close();
});

test('a body over HTTP/2 that is too large is refused, and its stream ended', async () => {
  const session = open2(web.port);
  const stream = session.request(post(PLACE, asJson), { endStream: false });
  stream.write('x'.repeat(20_000));
  const end = closed(stream);
  expect(await answerOf(stream)).toMatchObject({ status: 429 });
  await end;
  expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  session.close();
});

test('a body that breaks off is no request, though it could be read as one', async () => {
  const before = web.calls.length;
  const socket = await openTls(web.port, ['h2']);
  const headers = hpack([...Object.entries({ ...post(PLACE, asJson), ':scheme': 'https', ':authority': 'broker' })].sort());
  socket.write(
    Buffer.concat([HELLO, frame(TYPE.headers, FLAG.endHeaders, 1, headers), frame(TYPE.data, 0, 1, Buffer.from(order(7)))]),
  );
  await until(() => web.web.arriving === 1);
  socket.write(frame(TYPE.rstStream, 0, 1, uint32(constants.NGHTTP2_NO_ERROR)));
  await until(() => web.web.arriving === 0);
  const session = open2(web.port);
  expect(await over2(session, post(PLACE, asJson), order(13))).toMatchObject({ status: 429 });
  expect(web.calls.slice(before)).toEqual([13]);
  session.close();
  socket.destroy();
});

test('a body over HTTP/2 that does not come in time is given up', async () => {
  const session = open2(strict.port);
  const stream = session.request(post(PLACE, asJson), { endStream: false });
  stream.write('{');
  const end = closed(stream);
  expect(await answerOf(stream)).toMatchObject({ status: 504 });
  await end;
  expect(strict.refused).toContain('slow request');
  session.close();
});

test('an answer over HTTP/2 that its client does not take is given up', async () => {
  const session = open2(strict.port, { settings: { initialWindowSize: 100 } });
  const stream = session.request({ ':path': '/' }).on('error', () => {});
  const [headers] = await once(stream, 'response');
  expect(headers[':status']).toBe(200);
  await closed(stream.pause());
  expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  session.close();
});

test('headers over HTTP/2 have the limit of those over HTTP/1.1', async () => {
  const session = open2(strict.port);
  const large = { 'x-large': 'x'.repeat(10_000), 'x-larger': 'y'.repeat(10_000) };
  expect(await over2(session, post(PLACE, { ...asJson, ...large }), order(7))).toMatchObject({ status: 431 });
  session.close();
  expect(await over1(strict.port, PLACE, { method: 'POST', headers: { ...asJson, ...large } }, order(7))).toMatchObject({
    status: 431,
  });
});

test('a client may reset all that it has open at once, and goes on', async () => {
  const session = open2(web.port);
  await over2(session, post(PLACE, asJson), order(7));
  const streams = Array.from({ length: CALLS }, () => session.request(post(PLACE, asJson), { endStream: false }));
  const ends = Promise.all(streams.map((stream) => closed(stream.on('error', () => {}))));
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
  await ends;
  expect(await over2(session, post(PLACE, asJson), order(7))).toMatchObject({ status: 200 });
  session.close();
});

test('who resets its requests as fast as it makes them is cut off', async () => {
  const socket = await openTls(web.port, ['h2']);
  const end = closed(socket);
  socket.write(HELLO);
  for (let stream = 1; stream < 4 * CALLS; stream += 2) {
    const reset = frame(TYPE.rstStream, 0, stream, uint32(constants.NGHTTP2_CANCEL));
    socket.write(Buffer.concat([frame(TYPE.headers, FLAG.endHeaders, stream, callHeaders(PLACE)), reset]));
  }
  await end;
  const other = open2(web.port);
  expect(await over2(other, post(PLACE, asJson), order(7))).toMatchObject({ status: 200 });
  other.close();
});

test('a connection that does not finish its handshake, or says nothing after it, is ended in time, and an idle one too', async () => {
  const before = strict.refused.length;
  const silent = connect(strict.port, '127.0.0.1');
  // The beginning of a client's first message of TLS, longer than HTTP/2's preface, and then nothing.
  const half = connect(strict.port, '127.0.0.1');
  half.write(Buffer.concat([Buffer.from([22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3]), Buffer.alloc(100)]));
  const secured = [await openTls(strict.port, ['h2']), await openTls(strict.port, ['http/1.1'])];
  const idle = open2(strict.port);
  await over2(idle, post(PLACE, asJson), order(7));
  const ended = [silent, half, ...secured].map((socket) => closed(socket.on('error', () => {})));
  await Promise.all([...ended, closed(idle)]);
  expect(strict.refused.slice(before).filter((why) => why === 'no handshake').length).toBeGreaterThanOrEqual(3);
  await until(() => strict.web.connections === 0);
});

test('connections in their handshake give way to newcomers, and those that have had an answer stay', async () => {
  const known = open2(few.port);
  await over2(known, post(PLACE, asJson), order(7));
  const strangers = Array.from({ length: 30 }, () => connect(few.port, '127.0.0.1').on('error', () => {}));
  await Promise.all(strangers.slice(0, 20).map((socket) => closed(socket)));
  expect(await over2(known, post(PLACE, asJson), order(7))).toMatchObject({ status: 200 });
  expect(few.refused).toContain('too many connections');
  for (const socket of strangers) socket.destroy();
  known.close();
});

test('who speaks no TLS, or speaks of another protocol, is refused', async () => {
  const plain = connect(strict.port, '127.0.0.1').on('error', () => {});
  plain.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await closed(plain);
  await until(() => strict.refused.includes('tls failed'));
  const other = connectTls({ host: '127.0.0.1', port: strict.port, ca: authority.ca, ALPNProtocols: ['spdy'] });
  await expect(once(other, 'secureConnect')).rejects.toThrow(/no application protocol|alert/);
});
