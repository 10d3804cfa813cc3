import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SeededRandom } from '@stockbroker/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FRAME_ATTACKS } from '../../../test/hostile/frameAttacks.ts';
import { HELLO } from '../../../test/hostile/http2Frames.ts';
import { PemFiles } from '../../../test/support/certificates.ts';
import { authority, closed, open2, openTls, over2 } from '../../../test/support/tlsClients.ts';
import { RpcChannel, TlsSource } from '../src/index.ts';
import { TradingServiceDefinition } from '../src/stockbroker.ts';
import { asJson, openWeb, order, PLACE, until } from './webFixture.ts';

/** What strangers can do to both ports over TLS: what holds of them without it, and what only TLS has. */
const FLOODS = FRAME_ATTACKS.filter(({ name }) => /flood|of no data|no byte/.test(name));
const files = new PemFiles();
let source: TlsSource;
let web: Awaited<ReturnType<typeof openWeb>>;
/** The same with little patience: yet more than a good client of a busy machine needs. */
let strict: Awaited<ReturnType<typeof openWeb>>;
/** With few connections. */
let few: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  source = await TlsSource.open({ ...files.writePair('server', await authority.issue('server')), ca: '' });
  web = await openWeb({ tls: source });
  strict = await openWeb({ tls: source, limits: { requestTimeoutMs: 2_000 } });
  few = await openWeb({ tls: source, limits: { maxConnections: 10 } });
});
afterAll(async () => {
  await Promise.all([web.close(), strict.close(), few.close()]);
  source.stop();
  files.remove();
});

/** A good client of either port is served. */
async function serves(server: typeof web): Promise<void> {
  const session = open2(server.port);
  expect(await over2(session, { ':method': 'POST', ':path': PLACE, ...asJson }, order(7))).toMatchObject({ status: 200 });
  session.destroy();
  const channel = new RpcChannel(`127.0.0.1:${server.grpcPort}`, {}, { ca: Buffer.from(authority.ca) });
  const trade = await channel.client(TradingServiceDefinition).placeTrade({ stockTicker: 'AAPL', quantity: 7 });
  expect(trade).toMatchObject({ stockTicker: 'AAPL' });
  channel.close();
}

/** The beginning of a client's first message of TLS, longer than HTTP/2's preface, and then nothing. */
function halfHandshake(port: number): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(Buffer.concat([Buffer.from([22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3]), Buffer.alloc(100)]));
  return socket;
}

test.each(FLOODS)('web port over HTTP/2: $name', async ({ bytes, server }) => {
  const socket = await openTls(web.port, ['h2']);
  const end = closed(socket);
  if (server === 'bears it') socket.pause();
  socket.write(bytes(new SeededRandom(1)));
  if (server === 'ends it') await end;
  await serves(web);
  socket.destroy();
  await until(() => web.web.connections === 0);
});

test('gRPC over TLS: a handshake that is not finished, and silence after one, are ended in time', async () => {
  const before = strict.refused.length;
  const silent = await openTls(strict.grpcPort, ['h2']);
  await Promise.all([halfHandshake(strict.grpcPort), silent].map(closed));
  expect(strict.refused.slice(before)).toEqual(['no handshake', 'no handshake']);
});

test('gRPC over TLS: handshakes that are not finished give way to newcomers, and a client that was served stays', async () => {
  const channel = new RpcChannel(`127.0.0.1:${few.grpcPort}`, {}, { ca: Buffer.from(authority.ca) });
  const known = channel.client(TradingServiceDefinition);
  await known.placeTrade({ stockTicker: 'AAPL', quantity: 7 });
  const strangers = Array.from({ length: 30 }, () => halfHandshake(few.grpcPort));
  await Promise.all(strangers.slice(0, 20).map(closed));
  expect(few.refused).toContain('too many connections');
  await known.placeTrade({ stockTicker: 'AAPL', quantity: 7 });
  expect(few.server.load.connections).toBeLessThanOrEqual(10);
  for (const socket of strangers) socket.destroy();
  channel.close();
});

test('gRPC over TLS: who does not agree to HTTP/2 in the handshake gets not a byte', async () => {
  const socket = connectTls({ host: '127.0.0.1', port: web.grpcPort, ca: authority.ca }).on('error', () => {});
  await once(socket, 'secureConnect');
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  socket.write(HELLO);
  await closed(socket);
  expect(received).toBe(0);
});

test.each<[string, (socket: Socket) => void]>([
  ['resets the connection', (socket) => socket.resetAndDestroy()],
  ['sends what is no TLS', (socket) => socket.end(Buffer.alloc(100))],
])('who %s right after the handshake is nobody’s failure', async (_what, breakOff) => {
  for (const port of [web.port, web.grpcPort])
    for (const protocol of ['h2', 'http/1.1', '']) {
      const below = connect(port, '127.0.0.1').on('error', () => {});
      const end = closed(below);
      const ALPNProtocols = protocol === '' ? [] : [protocol];
      const socket = connectTls({ socket: below, host: '127.0.0.1', ca: authority.ca, ALPNProtocols }).on('error', () => {});
      socket.once('secureConnect', () => breakOff(below));
      await end;
    }
  await serves(web);
});
