import { connect as connect2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { callHeaders, FLAG, frame, grpcMessage, HELLO, openRaw, TYPE } from '../../../test/hostile/http2Frames.ts';
import { BROKEN_PROXY_HEADERS, header, LOCAL, PROXY, proxyHeader, SOURCES } from '../../../test/hostile/proxyHeaders.ts';
import { PemFiles } from '../../../test/support/certificates.ts';
import { answerOf, authority } from '../../../test/support/tlsClients.ts';
import { TlsSource } from '../src/index.ts';
import { parseProxyHeader } from '../src/proxyHeader.ts';
import { asJson, BUY, openWeb, order, PLACE, until } from './webFixture.ts';

test.each(SOURCES)('PROXY header: %s is read, with whatever stands behind the addresses', (_what, bytes, source) => {
  const tlvs = Buffer.from('030004deadbeef0200066262622e6465', 'hex');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.readUInt16BE(14) + tlvs.length);
  const longer = Buffer.concat([bytes.subarray(0, 14), length, bytes.subarray(16), tlvs]);
  for (const each of [bytes, longer]) {
    expect(parseProxyHeader(each)).toEqual({ source, bytes: each.length });
    expect(parseProxyHeader(Buffer.concat([each, Buffer.from('GET /')]))).toEqual({ source, bytes: each.length });
    for (let end = 0; end < each.length; end += 1) expect(parseProxyHeader(each.subarray(0, end))).toBeUndefined();
  }
});

test.each(BROKEN_PROXY_HEADERS)('PROXY header: %s is none', (_what, bytes) => {
  expect(() => parseProxyHeader(bytes)).toThrow(expect.objectContaining({ name: 'ProxyHeaderError' }));
});

test('PROXY header: whatever comes is a header, the beginning of one, or none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 28 }), (random, kept) => {
      const bytes = Buffer.concat([proxyHeader('192.0.2.1', 7).subarray(0, kept), random]);
      try {
        const parsed = parseProxyHeader(bytes);
        if (parsed !== undefined) expect(parsed.bytes).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        expect(error).toMatchObject({ name: 'ProxyHeaderError' });
      }
    }),
    { numRuns: 2_000 },
  );
});

/** Servers behind a balancer: both ports, with and without TLS. */
const files = new PemFiles();
let tls: TlsSource;
let plain: Awaited<ReturnType<typeof openWeb>>;
let secured: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  tls = await TlsSource.open({ ...files.writePair('server', await authority.issue('server')), ca: '' });
  const limits = { requestTimeoutMs: 700, maxConnections: 20 };
  plain = await openWeb({ proxyHeader: true, limits });
  secured = await openWeb({ proxyHeader: true, tls, limits });
});
beforeEach(() => {
  for (const each of [plain, secured]) each.addresses.length = 0;
});
afterAll(async () => {
  await Promise.all([plain.close(), secured.close()]);
  tls.stop();
  files.remove();
});

/** A connection that a balancer has opened, in pieces of so many bytes. */
async function opened(port: number, head: Buffer, piece = head.length): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  for (let at = 0; at < head.length; at += piece) {
    await new Promise<void>((resolve) => socket.write(head.subarray(at, at + piece), () => resolve()));
    if (piece < head.length) await new Promise((resolve) => setImmediate(resolve));
  }
  return socket;
}

const request = () =>
  `POST ${PLACE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${order(7).length}\r\nconnection: close\r\n\r\n${order(7)}`;

async function everything(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString();
}

/** One good call, over HTTP/2 unless it is said otherwise. @returns its status */
const CALLS: [string, () => { server: typeof plain; port: number }, (socket: Socket) => Promise<number | undefined>][] = [
  ['gRPC', () => ({ server: plain, port: plain.grpcPort }), (socket) => overHttp2(socket)],
  [
    'gRPC over TLS',
    () => ({ server: secured, port: secured.grpcPort }),
    async (socket) => overHttp2(await withTls(socket, 'h2')),
  ],
  ['HTTP/1.1', () => ({ server: plain, port: plain.port }), overHttp1],
  [
    'HTTP/1.1 over TLS',
    () => ({ server: secured, port: secured.port }),
    async (socket) => overHttp1(await withTls(socket, 'http/1.1')),
  ],
  [
    'HTTP/2 over TLS',
    () => ({ server: secured, port: secured.port }),
    async (socket) => overHttp2(await withTls(socket, 'h2'), { ...asJson }, order(7)),
  ],
];

async function withTls(socket: Socket, protocol: string): Promise<Socket> {
  const options = { socket, ca: authority.ca, servername: 'localhost', ALPNProtocols: [protocol] };
  const over = connectTls(options);
  over.on('error', () => {});
  await new Promise((resolve) => over.once('secureConnect', resolve).once('close', resolve));
  return over;
}

async function overHttp1(socket: Socket): Promise<number | undefined> {
  socket.write(request());
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await everything(socket))?.[1]);
}

async function overHttp2(socket: Socket, headers: Record<string, string> = GRPC, body: Buffer | string = grpcMessage(BUY)) {
  const session = connect2('http://broker', { createConnection: () => socket });
  session.on('error', () => {});
  const stream = session.request({ ':method': 'POST', ':path': PLACE, ...headers });
  const { status } = await answerOf(stream.end(body));
  session.close();
  return status;
}
const GRPC = { 'content-type': 'application/grpc', te: 'trailers' };

test.each(CALLS)(
  'PROXY header: over %s the call has the client’s address, however the header comes',
  async (_what, where, call) => {
    const { server, port } = where();
    const own = '127.0.0.1';
    const sent: [Buffer, number, string][] = [
      [proxyHeader('192.0.2.66', 4_711), 28, '192.0.2.66'],
      [proxyHeader('192.0.2.67', 4_711), 1, '192.0.2.67'],
      [proxyHeader('2001:db8::1', 4_711), 17, '2001:db8::1'],
      [proxyHeader('192.0.2.68', 1, { tlvs: Buffer.alloc(3_000) }), 1_000, '192.0.2.68'],
      [header(LOCAL, 0x00), 16, own],
      [header(PROXY, 0x00), 5, own],
    ];
    for (const [bytes, piece] of sent) expect(await call(await opened(port, bytes, piece))).toBe(200);
    expect(server.addresses).toEqual(sent.map(([, , address]) => address));
  },
);

test.each(CALLS)(
  'PROXY header: over %s a connection without one, or with a broken one, is reset, and others go on',
  async (_what, where, call) => {
    const { server, port } = where();
    const before = server.refused.length;
    const attacks = [...BROKEN_PROXY_HEADERS.map(([, bytes]) => bytes), Buffer.from(request()), HELLO];
    for (const bytes of attacks) await everything(await opened(port, bytes));
    expect(server.refused.slice(before)).toEqual(attacks.map(() => 'no PROXY header'));
    expect(await call(await opened(port, proxyHeader('192.0.2.1', 9)))).toBe(200);
  },
);

test.each(CALLS)(
  'PROXY header: over %s one that stops half-way, or is all that comes, is given up after a while',
  async (_what, where) => {
    const { server, port } = where();
    const before = server.refused.length;
    const good = proxyHeader('192.0.2.1', 9);
    const sockets = [Buffer.alloc(0), good.subarray(0, 5), good.subarray(0, 20), good, header(LOCAL, 0, Buffer.alloc(3_000))];
    await Promise.all(sockets.map(async (bytes) => everything(await opened(port, bytes))));
    expect(server.refused.slice(before)).toEqual(sockets.map(() => 'no handshake'));
  },
);

test('PROXY header: what comes with it in one piece is the request', async () => {
  const http = await opened(plain.port, Buffer.concat([proxyHeader('192.0.2.9', 1), Buffer.from(request())]));
  expect(await everything(http)).toMatch(/^HTTP\/1\.1 200 /);
  const grpc = await openRaw(plain.grpcPort);
  const call = [
    frame(TYPE.headers, FLAG.endHeaders, 1, callHeaders(PLACE)),
    frame(TYPE.data, FLAG.endStream, 1, grpcMessage(BUY)),
  ];
  grpc.write(Buffer.concat([proxyHeader('192.0.2.10', 1), HELLO, ...call]));
  await until(() => plain.addresses.length === 2);
  grpc.destroy();
  expect(plain.addresses).toEqual(['192.0.2.9', '192.0.2.10']);
});

test('PROXY header: connections under one name are each their own: when one has succeeded none of them gives way, and none is forgotten', async () => {
  const [one, other] = [
    await opened(plain.port, proxyHeader('192.0.2.1', 5)),
    await opened(plain.port, proxyHeader('192.0.2.1', 5)),
  ];
  expect(await overHttp1(one)).toBe(200);
  expect(await overHttp1(other)).toBe(200);
  await until(() => plain.web.connections === 0);
});

test('PROXY header: liars that share a name give way like other strangers', async () => {
  const liars = await Promise.all(Array.from({ length: 30 }, () => opened(plain.port, proxyHeader('192.0.2.1', 5))));
  const gone = Promise.all(liars.map(everything));
  expect(await overHttp1(await opened(plain.port, proxyHeader('192.0.2.2', 6)))).toBe(200);
  await gone;
  await until(() => plain.web.connections === 0);
});

test('PROXY header: a server that does not expect one takes it for a broken request', async () => {
  const server = await openWeb();
  const http = await opened(server.port, Buffer.concat([proxyHeader('192.0.2.1', 5), Buffer.from(request())]));
  expect(await everything(http)).toMatch(/^HTTP\/1\.1 400 /);
  expect(server.addresses).toEqual([]);
  await server.close();
});
