import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Status } from '@stockbroker/rpc';
import { createLog } from '@stockbroker/runtime';
import { eventually, type Issuer, openIssuer } from '@stockbroker/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Authenticate, createAuthenticate } from '../src/identity/authenticate.ts';
import { IssuerKeys, type IssuerKeysOptions } from '../src/identity/issuerKeys.ts';
import { keysReader } from '../src/identity/readKeys.ts';

/** An issuer's web server, with a count of what was asked for and a way to be away. */
const CUSTOMER = '0198c0de-0000-7000-8000-000000000001';
const asked: string[] = [];
let away = false;
let document: Record<string, unknown> = {};
const server = createServer((request, response) => {
  asked.push(request.url ?? '');
  if (away) return response.writeHead(503).end();
  if (request.url === '/moved') return response.writeHead(302, { location: '/keys' }).end();
  if (request.url === '/huge') return response.end(`{"keys": [], "x": "${'x'.repeat(300_000)}"}`);
  return response.end(JSON.stringify(request.url === '/keys' ? issuer.jwks() : document));
});
let folder: string;
let issuer: Issuer;
let origin: string;
const opened: IssuerKeys[] = [];
beforeEach(async () => {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = mkdtempSync(join(tmpdir(), 'stockbroker-keys-'));
  issuer = await openIssuer(folder, origin);
  document = { issuer: origin, jwks_uri: `${origin}/keys` };
  asked.length = 0;
  away = false;
  return () => rmSync(folder, { recursive: true });
});
afterEach(async () => {
  for (const keys of opened.splice(0)) keys.stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function open(options: Partial<IssuerKeysOptions> & { jwks?: string } = {}): { keys: IssuerKeys; authenticate: Authenticate } {
  const { jwks = `${origin}/keys`, ...rest } = options;
  const log = createLog('test', 'silent');
  const patient = { refreshMs: 600_000, cooldownMs: 600_000, staleMs: 600_000, log };
  const algorithms = ['EdDSA'];
  const keys = new IssuerKeys({ read: keysReader(jwks, origin), algorithms, ...patient, ...rest });
  opened.push(keys);
  const authenticate = createAuthenticate({
    keys,
    issuer: origin,
    audience: 'stockbroker',
    algorithms,
    maxLifetimeSeconds: 3_600,
  });
  return { keys, authenticate };
}

const bearer = async (from = issuer) => `Bearer ${await from.tokenFor(CUSTOMER)}`;
const refused = { code: Status.UNAUTHENTICATED, details: { info: { reason: 'INVALID_TOKEN' } } };
const unavailable = { code: Status.UNAVAILABLE, details: { info: { reason: 'ISSUER_UNAVAILABLE' }, retryAfterMs: 1_000 } };

test('keys: found by discovery, read once for many tokens', async () => {
  const { keys, authenticate } = open({ jwks: '' });
  await keys.start();
  await Promise.all(Array.from({ length: 20 }, async () => authenticate(await bearer())));
  expect(asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  expect(keys.problem()).toBeUndefined();
});

test('keys: a token signed with a new one makes for one more reading, and is good', async () => {
  const { keys, authenticate } = open({ cooldownMs: 0 });
  await keys.start();
  const old = await bearer();
  await authenticate(old);
  await issuer.rotate();
  expect(await authenticate(await bearer())).toMatchObject({ customerId: CUSTOMER });
  // Published together for a while.
  expect(await authenticate(old)).toMatchObject({ customerId: CUSTOMER });
  expect(asked).toEqual(['/keys', '/keys']);
});

test('keys: forged key ids make for one reading, and for no other during the cooldown', async () => {
  const { keys, authenticate } = open({ cooldownMs: 600_000 });
  await keys.start();
  const stranger = await openIssuer(join(folder, 'stranger'), origin);
  await stranger.rotate(); // Another key id than the issuer's.
  const forged = await bearer(stranger);
  for (let i = 0; i < 50; i += 1) await expect(authenticate(forged)).rejects.toMatchObject({ ...refused, why: 'unknown-key' });
  expect(asked).toEqual(['/keys', '/keys']);
});

test('keys: forged key ids that come together make for one reading', async () => {
  const { keys, authenticate } = open({ cooldownMs: 0 });
  await keys.start();
  const stranger = await openIssuer(join(folder, 'stranger'), origin);
  await stranger.rotate();
  const forged = await bearer(stranger);
  const calls = Array.from({ length: 50 }, () => expect(authenticate(forged)).rejects.toMatchObject(refused));
  await Promise.all(calls);
  expect(asked).toEqual(['/keys', '/keys']);
});

test('keys: a withdrawn key is refused from the next reading on, also for tokens in the cache', async () => {
  const { keys, authenticate } = open({ refreshMs: 50 });
  await keys.start();
  const old = await bearer();
  await authenticate(old);
  await issuer.rotate();
  issuer.withdraw();
  const answer = () => authenticate(old).catch((error: unknown) => error);
  expect(await eventually(answer, (given) => given instanceof Error)).toMatchObject(refused);
  expect(await authenticate(await bearer())).toMatchObject({ customerId: CUSTOMER });
});

test('keys: while the issuer is away those read last are good, for a bounded time; then it is UNAVAILABLE until it is back', async () => {
  const { keys, authenticate } = open({ refreshMs: 30, cooldownMs: 30, staleMs: 1_500 });
  await keys.start();
  const token = await bearer();
  await authenticate(token);
  away = true;
  const tries = asked.length;
  await eventually(
    async () => asked.length,
    (now) => now > tries + 1,
  );
  expect(await authenticate(token)).toMatchObject({ customerId: CUSTOMER });
  const answer = () => authenticate(token).catch((error: unknown) => error);
  expect(await eventually(answer, (given) => given instanceof Error)).toMatchObject(unavailable);
  expect(keys.problem()).toMatch(/^the issuer’s keys cannot be read: .* answered with status 503$/);
  away = false;
  await eventually(answer, (given) => !(given instanceof Error));
  expect(keys.problem()).toBeUndefined();
});

test('keys: a token of a key that cannot be read now may be good: it is UNAVAILABLE, not refused', async () => {
  const { keys, authenticate } = open({ cooldownMs: 0 });
  await keys.start();
  away = true;
  await issuer.rotate();
  const token = await bearer();
  await expect(authenticate(token)).rejects.toMatchObject(unavailable);
  away = false;
  expect(await authenticate(token)).toMatchObject({ customerId: CUSTOMER });
});

test('keys: they are read again before they are too old, however rarely they are to be read', async () => {
  const { keys } = open({ staleMs: 500 });
  await keys.start();
  await eventually(
    async () => asked.length,
    (count) => count > 3,
  );
});

test('keys: a gateway that starts before its issuer refuses nobody’s token, but asks to try again, and finds it by itself', async () => {
  away = true;
  const { keys, authenticate } = open({ refreshMs: 50, cooldownMs: 50 });
  await keys.start();
  await expect(authenticate(await bearer())).rejects.toMatchObject(unavailable);
  expect(keys.problem()).toBe(`the issuer’s keys cannot be read: ${origin}/keys answered with status 503`);
  away = false;
  await eventually(
    async () => keys.problem(),
    (problem) => problem === undefined,
  );
  expect(await authenticate(await bearer())).toMatchObject({ customerId: CUSTOMER });
});

test.each<[string, () => Record<string, unknown>]>([
  ['is about another issuer', () => ({ issuer: 'https://evil.test', jwks_uri: `${origin}/keys` })],
  ['names no keys', () => ({ issuer: origin })],
  ['names keys that anybody on the way could change', () => ({ issuer: origin, jwks_uri: 'http://192.0.2.1/keys' })],
  ['names keys elsewhere than on the web', () => ({ issuer: origin, jwks_uri: 'file:///etc/keys' })],
])('keys: a discovery document that %s is not followed', async (_what, content) => {
  document = content();
  const { keys } = open({ jwks: '' });
  await keys.start();
  expect(keys.problem()).toMatch(/cannot be read/);
  expect(asked).toEqual(['/.well-known/openid-configuration']);
});

test.each(['/moved', '/huge', '/none'])('keys: an answer that is no key set is not taken: %s', async (path) => {
  document = { keys: 'none' };
  const { keys } = open({ jwks: origin + path });
  await keys.start();
  expect(keys.problem()).toMatch(/cannot be read/);
  expect(asked).toEqual([path]);
});

test.each([
  ['http://issuer.example.com/keys', 'https://issuer.example.com', 'AUTH_JWKS must be an https:// URL'],
  ['', 'http://issuer.example.com', 'AUTH_ISSUER, as AUTH_JWKS is empty, must be an https:// URL'],
  ['', 'issuer', 'AUTH_ISSUER, as AUTH_JWKS is empty, must be an https:// URL'],
])('keys: the address %j of the issuer %j is refused', (jwks, name, problem) => {
  expect(() => keysReader(jwks, name)).toThrow(problem);
});
