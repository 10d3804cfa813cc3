import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callHeaders, FLAG, frame, HELLO, TYPE } from '../../../test/hostile/http2Frames.ts';
import { PemFiles } from '../../../test/support/certificates.ts';
import { authority, closed, open2, openTls } from '../../../test/support/tlsClients.ts';
import { TlsSource } from '../src/index.ts';
import { asJson, framed, openWeb, order, PLACE, QUOTES, until, webProto } from './webFixture.ts';

/** Clients that take nothing of their answers: these end in time on every transport, also when no call is counted any more. */
const limits = { stallTimeoutMs: 1_500 };
/** The client lets the server send no data at all. */
const NOTHING = { settings: { initialWindowSize: 0 } };
const files = new PemFiles();
let source: TlsSource;
let plain: Awaited<ReturnType<typeof openWeb>>;
let secure: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  source = await TlsSource.open({ ...files.writePair('server', await authority.issue('server')), ca: '' });
  plain = await openWeb({ limits });
  secure = await openWeb({ tls: source, limits });
});
afterAll(async () => {
  await Promise.all([plain.close(), secure.close()]);
  source.stop();
  files.remove();
});

const post = (path: string, headers: Record<string, string>) => ({ ':method': 'POST', ':path': path, ...headers });
const grpc = { 'content-type': 'application/grpc', te: 'trailers' };

/** The reset of a stream that the server gave up. */
async function resetOf(session: ClientHttp2Session, stream: ClientHttp2Stream): Promise<number> {
  await closed(stream.on('error', () => {}));
  session.destroy();
  return stream.rstCode;
}

test('HTTP/2: the refusal of a body that nobody reads', async () => {
  const session = open2(secure.port, NOTHING);
  const large = session.request(post(PLACE, { ...asJson, 'content-length': '1000000' }), { endStream: false });
  expect(await resetOf(session, large)).toBe(constants.NGHTTP2_CANCEL);
});

test('HTTP/2: the end of a stream that was refused', async () => {
  const session = open2(secure.port, NOTHING);
  const stream = session.request(post('/none/None', webProto)).end(framed(Buffer.alloc(0)));
  expect(await resetOf(session, stream)).toBe(constants.NGHTTP2_CANCEL);
});

test('HTTP/2: a stream of messages, and then its end', async () => {
  const session = open2(secure.port, NOTHING);
  const stream = session.request(post(QUOTES, webProto)).end(framed(Buffer.alloc(0)));
  expect(await resetOf(session, stream)).toBe(constants.NGHTTP2_CANCEL);
  expect(secure.server.calls.streams).toBe(0);
});

test('gRPC: a stream of messages stops at the first that is not taken, and then its end is given up', async () => {
  const session = connect(`http://127.0.0.1:${plain.grpcPort}`, NOTHING).on('error', () => {});
  const stream = session.request(post(QUOTES, grpc)).end(framed(Buffer.alloc(0)));
  await until(() => plain.server.calls.streams === 1);
  await until(() => plain.server.calls.streams === 0);
  expect(plain.streamed.quotes).toBeLessThan(2);
  expect(await resetOf(session, stream)).toBe(constants.NGHTTP2_CANCEL);
});

test('gRPC: the answer to a call', async () => {
  const session = connect(`http://127.0.0.1:${plain.grpcPort}`, NOTHING).on('error', () => {});
  const stream = session.request(post(PLACE, grpc)).end(framed(Buffer.from([0x18, 7])));
  expect(await resetOf(session, stream)).toBe(constants.NGHTTP2_CANCEL);
});

test('HTTP/1.1: a stream of messages, and then its end', async () => {
  const socket = connectTcp(plain.port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  socket.pause();
  socket.write(
    `POST ${QUOTES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0`,
  );
  await until(() => plain.server.calls.streams === 1);
  await until(() => plain.web.connections === 0);
  socket.destroy();
});

test('an answer that is taken in time leaves its connection to the next', async () => {
  const session = open2(secure.port);
  for (const _ of [1, 2]) {
    const stream = session.request(post(PLACE, asJson)).end(order(7));
    const [headers] = await once(stream.resume(), 'response');
    expect(headers[':status']).toBe(200);
    await until(() => stream.closed);
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  }
  session.close();
});

test('HTTP/2: a connection whose client is gone without a word', async () => {
  const web = await openWeb({ tls: source, limits: { pingAfterMs: 500, pingTimeoutMs: 2_000 } });
  const here = open2(web.port);
  const gone = await openTls(web.port, ['h2']);
  gone.write(Buffer.concat([HELLO, frame(TYPE.headers, FLAG.endHeaders, 1, callHeaders(QUOTES))]));
  await closed(gone);
  const stream = here.request(post(PLACE, asJson)).end(order(7));
  const [headers] = await once(stream.resume(), 'response');
  expect(headers[':status']).toBe(200);
  here.destroy();
  await web.close();
});
