import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type Pair, PemFiles, TestAuthority } from '../../../test/support/certificates.ts';
import { authority, open2, over1, over2 } from '../../../test/support/tlsClients.ts';
import { ExchangeServiceDefinition } from '../src/exchange.ts';
import { openServerTls, RpcChannel, RpcError, TlsFilesError, type TlsReport, TlsSource } from '../src/index.ts';
import { TradingServiceDefinition } from '../src/stockbroker.ts';
import { asJson, openWeb, order, PLACE, until } from './webFixture.ts';

/** Certificates in files: read, replaced while servers run, and of both sides. */
const opened: { close: () => unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});
let first: Pair;
let second: Pair;
let other: TestAuthority;
beforeAll(async () => {
  [first, second, other] = await Promise.all([
    authority.issue('first'),
    authority.issue('second'),
    TestAuthority.create('other'),
  ]);
});

function newFiles(): PemFiles {
  const files = new PemFiles();
  opened.push({ close: () => files.remove() });
  return files;
}

async function openSource(paths: { cert: string; key: string; ca?: string }) {
  const replaced: (number | undefined)[] = [];
  const refused: TlsFilesError[] = [];
  const source = await TlsSource.open(
    { ca: '', ...paths },
    { lookMs: 20, onReplaced: (endsAtMs) => replaced.push(endsAtMs), onRefused: (error) => refused.push(error) },
  );
  opened.push({ close: () => source.stop() });
  return { source, replaced, refused };
}

async function openServer(tls: TlsSource) {
  const server = await openWeb({ tls });
  opened.push(server);
  return server;
}

function channel(port: number, tls?: ConstructorParameters<typeof RpcChannel>[2]): RpcChannel {
  const made = new RpcChannel(`127.0.0.1:${port}`, {}, tls);
  opened.push(made);
  return made;
}

const ca = Buffer.from(authority.ca);
const pem = ({ cert, key }: Pair) => ({ cert: Buffer.from(cert), key: Buffer.from(key) });

/** Whose certificate newcomers are shown. */
async function shownBy(port: number): Promise<string | undefined> {
  const socket = connect({ host: 'localhost', port, ca: authority.ca, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

async function failureOf(call: Promise<unknown>): Promise<RpcError> {
  const error = await call.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
}

test('replaced files are shown to newcomers on both ports, while open streams go on', async () => {
  const files = newFiles();
  const { source, replaced } = await openSource(files.writePair('server', first));
  const server = await openServer(source);
  const grpc = channel(server.grpcPort, { ca });
  const quotes = grpc.client(ExchangeServiceDefinition).streamQuotes({})[Symbol.asyncIterator]();
  await quotes.next();
  const session = open2(server.port);
  expect(await over2(session, { ':method': 'POST', ':path': PLACE, ...asJson }, order(7))).toMatchObject({ status: 200 });
  expect([await shownBy(server.port), await shownBy(server.grpcPort)]).toEqual(['first', 'first']);

  files.writePair('new', second);
  renameSync(files.path('new.crt'), files.path('server.crt'));
  renameSync(files.path('new.key'), files.path('server.key'));
  await until(() => replaced.length === 1);
  expect([await shownBy(server.port), await shownBy(server.grpcPort)]).toEqual(['second', 'second']);
  expect((await quotes.next()).done).toBe(false);
  expect(await over2(session, { ':method': 'POST', ':path': PLACE, ...asJson }, order(7))).toMatchObject({ status: 200 });
  session.close();
  await quotes.return?.();
});

test('files behind a link that is swapped are followed', async () => {
  const files = newFiles();
  for (const [name, pair] of Object.entries({ first, second })) files.writePair(name, pair);
  for (const end of ['crt', 'key']) symlinkSync(`first.${end}`, files.path(`now.${end}`));
  const { source, replaced } = await openSource({ cert: files.path('now.crt'), key: files.path('now.key') });
  for (const end of ['crt', 'key']) {
    symlinkSync(`second.${end}`, files.path('next'));
    renameSync(files.path('next'), files.path(`now.${end}`));
  }
  await until(() => replaced.length === 1);
  expect(String(source.identity.cert)).toBe(second.cert);
});

test.each<[string, (files: PemFiles) => void, RegExp]>([
  [
    'a key of another certificate',
    (files) => files.write('server.key', second.key),
    /server\.key is not that of the first certificate/,
  ],
  ['a certificate that is cut off', (files) => files.write('server.crt', second.cert.slice(0, 300)), /server\.crt is cut off/],
  ['no certificate', (files) => files.write('server.crt', ''), /there is no certificate in .*server\.crt/],
  ['a certificate of other bytes', (files) => files.write('server.crt', second.cert.replace(/M/g, 'N')), /server\.crt is broken/],
  ['half a key', (files) => files.write('server.key', first.key.slice(0, 100)), /there is no key in .*server\.key/],
  ['a file that is gone', (files) => unlinkSync(files.path('server.key')), /server\.key cannot be read: ENOENT/],
])('%s is refused and told once; the old pair stays, and the next good one is taken', async (_what, spoil, message) => {
  const files = newFiles();
  const { source, replaced, refused } = await openSource(files.writePair('server', first));
  const server = await openServer(source);
  spoil(files);
  await until(() => refused.length > 0);
  expect(refused.map((error) => error.message)).toEqual([expect.stringMatching(message)]);
  expect(refused[0]?.message).not.toContain('PRIVATE');
  expect(await shownBy(server.port)).toBe('first');
  files.writePair('server', second);
  await until(() => replaced.length === 1);
  expect(await shownBy(server.port)).toBe('second');
  expect(refused).toHaveLength(1);
});

test('files that a listener cannot use are told of, and tried again', async () => {
  const files = newFiles();
  const { source, replaced, refused } = await openSource(files.writePair('server', first));
  let fails = true;
  source.follow(() => {
    if (fails) throw new Error('not these');
  });
  files.writePair('server', second);
  await until(() => refused.length > 0);
  expect([refused[0]?.message, String(source.identity.cert)]).toEqual(['not these', first.cert]);
  fails = false;
  await until(() => replaced.length === 1);
  expect(String(source.identity.cert)).toBe(second.cert);
});

test('a certificate that has ended does not take the place of one that has not', async () => {
  const files = newFiles();
  const { source, refused } = await openSource(files.writePair('server', first));
  files.writePair('server', await authority.issue('ended', { days: -1 }));
  await until(() => refused.length > 0);
  expect(refused[0]?.message).toMatch(/the new certificate in .*server\.crt has ended/);
  expect(String(source.identity.cert)).toBe(first.cert);
  expect(source.endsAtMs).toBeGreaterThan(Date.now());
});

test('a server does not start with files that cannot be used', async () => {
  const files = newFiles();
  const { cert, key } = files.writePair('server', first);
  for (const paths of [
    { cert, key: '' },
    { cert, key: cert },
    { cert: '/none', key },
    { cert, key, ca: key },
  ])
    await expect(openSource(paths)).rejects.toThrow(TlsFilesError);
});

test('what becomes of the files is logged and counted, with when the certificate ends', async () => {
  const files = newFiles();
  const lines: [string, object, string][] = [];
  const counted = { refused: 0 };
  const gauges = new Map<string, () => number>();
  const report: TlsReport = {
    log: {
      info: (fields, text) => lines.push(['info', fields, text]),
      error: (fields, text) => lines.push(['error', fields, text]),
    },
    metrics: {
      counter: () => ({
        inc: () => {
          counted.refused += 1;
        },
      }),
      gauge: (name, _help, read) => void gauges.set(name, read),
    },
    lookMs: 20,
  };
  expect(await openServerTls({ cert: '', key: '', ca: '' }, report)).toBeUndefined();
  const ends = () => gauges.get('server_tls_ends_timestamp_seconds')?.();
  expect(ends()).toBe(Number.POSITIVE_INFINITY);
  const source = await openServerTls({ ...files.writePair('server', first), ca: '' }, report);
  opened.push({ close: () => source?.stop() });
  expect(ends()).toBe(Date.parse(new X509Certificate(first.cert).validTo) / 1_000);
  files.write('server.key', second.key);
  await until(() => lines.length === 1);
  expect(lines[0]).toEqual(['error', { err: expect.any(TlsFilesError), side: 'server' }, 'TLS files refused: the old ones stay']);
  expect(counted.refused).toBe(1);
  files.write('server.crt', second.cert);
  await until(() => lines.length === 2);
  expect(lines[1]).toEqual(['info', { side: 'server', endsAt: expect.stringMatching(/^\d{4}-/) }, 'TLS files replaced']);
});

test('of both sides: only clients with a certificate of the authority come in, on both ports, and why others do not is told', async () => {
  const files = newFiles();
  const { source } = await openSource({ ...files.writePair('server', first), ca: files.write('ca.crt', authority.ca) });
  const server = await openServer(source);
  const place = (tls?: ConstructorParameters<typeof RpcChannel>[2]) =>
    channel(server.grpcPort, tls).client(TradingServiceDefinition).placeTrade({ stockTicker: 'AAPL', quantity: 7 });
  expect(await place({ ca, ...pem(second) })).toMatchObject({ stockTicker: 'AAPL' });
  expect((await failureOf(place({ ca }))).message).toContain('certificate required');
  expect(await failureOf(place({ ca, ...pem(await other.issue('stranger')) }))).toMatchObject({ codeName: 'UNAVAILABLE' });
  await until(() => server.details.includes('UNABLE_TO_VERIFY_LEAF_SIGNATURE'));
  expect(await failureOf(place())).toMatchObject({ codeName: 'UNAVAILABLE' });
  await expect(over1(server.port, '/')).rejects.toThrow('certificate required');
  expect(await over1(server.port, '/', pem(second))).toMatchObject({ status: 200 });
});

test('a client refuses a server of another authority, and one of another name', async () => {
  const files = newFiles();
  const { source } = await openSource(
    files.writePair('server', await authority.issue('elsewhere', { hosts: ['elsewhere.test'] })),
  );
  const server = await openServer(source);
  const place = (tls: ConstructorParameters<typeof RpcChannel>[2]) =>
    channel(server.grpcPort, tls).client(TradingServiceDefinition).placeTrade({ stockTicker: 'AAPL', quantity: 7 });
  expect((await failureOf(place({ ca: Buffer.from(other.ca) }))).message).toMatch(/unable to verify|self-signed|issuer/);
  expect((await failureOf(place({ ca }))).message).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
});

test('a client’s renewed certificate is shown from then on, and its open stream goes on', async () => {
  const files = newFiles();
  const { source } = await openSource({ ...files.writePair('server', first), ca: files.write('ca.crt', authority.ca) });
  const server = await openServer(source);
  const renewed = channel(server.grpcPort, { ca, ...pem(second) });
  const quotes = renewed.client(ExchangeServiceDefinition).streamQuotes({})[Symbol.asyncIterator]();
  await quotes.next();
  renewed.renew({ ca, ...pem(await authority.issue('third')) });
  expect(await renewed.client(TradingServiceDefinition).placeTrade({ stockTicker: 'AAPL', quantity: 7 })).toMatchObject({
    stockTicker: 'AAPL',
  });
  expect((await quotes.next()).done).toBe(false);
  expect(server.server.load.connections).toBe(2);
  await quotes.return?.();
  await until(() => server.server.load.connections === 1);
});
