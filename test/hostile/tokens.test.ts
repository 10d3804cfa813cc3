import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { RpcError, Status } from '@stockbroker/rpc';
import { createLog } from '@stockbroker/runtime';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createAuthenticate } from '../../apps/gateway/src/identity/authenticate.ts';
import { IssuerKeys } from '../../apps/gateway/src/identity/issuerKeys.ts';

/** Tokens made by hand, of every broken kind. What the wire makes of them is in test/flow/edge.test.ts. */
const ISSUER = 'https://issuer.test';
const CUSTOMER = '0198c0de-0000-7000-8000-000000000001';
const KID = 'key-1';
const ALGORITHMS = ['EdDSA', 'ES256', 'RS256'];
const keys = generateKeyPairSync('ed25519');
const strangers = generateKeyPairSync('ed25519');
const publicJwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: KID, alg: 'EdDSA', use: 'sig' };
const issuerKeys = new IssuerKeys({
  read: async () => ({ keys: [publicJwk] }),
  algorithms: ALGORITHMS,
  refreshMs: 60_000,
  cooldownMs: 60_000,
  staleMs: 600_000,
  log: createLog('test', 'silent'),
});
const authenticate = createAuthenticate({
  keys: issuerKeys,
  issuer: ISSUER,
  audience: 'stockbroker',
  algorithms: ALGORITHMS,
  maxLifetimeSeconds: 3_600,
});
const customerOf = async (header: string) => (await authenticate(header)).customerId;
beforeAll(() => issuerKeys.start());
afterEach(() => vi.useRealTimers());
afterAll(() => issuerKeys.stop());

const nowSeconds = () => Math.floor(Date.now() / 1_000);
const claims = () =>
  ({ sub: CUSTOMER, iss: ISSUER, aud: 'stockbroker', iat: nowSeconds(), exp: nowSeconds() + 600 }) as Record<string, unknown>;
const encode = (part: unknown) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

function token(header: object = {}, payload: unknown = claims(), key: KeyObject = keys.privateKey): string {
  const content = `${encode({ alg: 'EdDSA', kid: KID, ...header })}.${encode(payload)}`;
  return `${content}.${sign(null, Buffer.from(content), key).toString('base64url')}`;
}

/** HS256 with the public key as the secret, in a text that a careless library would take. */
function confused(secret: string): string {
  const content = `${encode({ alg: 'HS256', kid: KID })}.${encode(claims())}`;
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

const pem = keys.publicKey.export({ format: 'pem', type: 'spki' }).toString();
const embedded = { ...strangers.publicKey.export({ format: 'jwk' }), kid: KID };
const without = (claim: string) => Object.fromEntries(Object.entries(claims()).filter(([name]) => name !== claim));
const [head = '', body = '', tail = ''] = token().split('.');

const BROKEN: [string, () => string][] = [
  ['alg none', () => `${encode({ alg: 'none' })}.${encode(claims())}.`],
  ['alg nOnE with a signature', () => token({ alg: 'nOnE' })],
  ['HS256 signed with the public key as PEM', () => confused(pem)],
  ['HS256 signed with the public key as JWK', () => confused(JSON.stringify(publicJwk))],
  ['HS256 signed with the key’s x', () => confused(String(publicJwk.x))],
  ['an algorithm that is a list', () => token({ alg: ['EdDSA'] })],
  ['an unknown kid', () => token({ kid: 'key-2' })],
  ['a kid that is a path', () => token({ kid: '../../../../dev/null' }, claims(), strangers.privateKey)],
  ['a stranger’s key', () => token({}, claims(), strangers.privateKey)],
  ['a stranger’s key that it brings along as jwk', () => token({ jwk: embedded }, claims(), strangers.privateKey)],
  ['a stranger’s key behind jku', () => token({ jku: 'http://127.0.0.1:1/jwks.json' }, claims(), strangers.privateKey)],
  [
    'a stranger’s key behind x5u',
    () => token({ x5u: 'http://127.0.0.1:1/cert.pem', x5c: ['AAAA'] }, claims(), strangers.privateKey),
  ],
  ['a header that it calls critical', () => token({ crit: ['exp'], exp: 1 })],
  ['an extension that must be understood', () => token({ crit: ['b64'], b64: false })],
  ['another audience', () => token({}, { ...claims(), aud: 'bank' })],
  ['an audience among none', () => token({}, { ...claims(), aud: [] })],
  ['no audience', () => token({}, without('aud'))],
  ['another issuer', () => token({}, { ...claims(), iss: `${ISSUER}/` })],
  ['no issuer', () => token({}, without('iss'))],
  ['no subject', () => token({}, without('sub'))],
  ['no beginning', () => token({}, without('iat'))],
  ['a beginning that is still to come', () => token({}, { ...claims(), iat: nowSeconds() + 60 })],
  ['a second more than it may last', () => token({}, { ...claims(), exp: nowSeconds() + 3_601 })],
  ['no end', () => token({}, without('exp'))],
  ['an end in the past', () => token({}, { ...claims(), exp: nowSeconds() - 6 })],
  ['an end that is text', () => token({}, { ...claims(), exp: '9999999999' })],
  ['an end that is null', () => token({}, { ...claims(), exp: null })],
  ['a beginning in the future', () => token({}, { ...claims(), nbf: nowSeconds() + 60 })],
  ['a beginning that is text', () => token({}, { ...claims(), nbf: 'now' })],
  ['a subject that is no UUID', () => token({}, { ...claims(), sub: 'alice' })],
  ['a subject and more', () => token({}, { ...claims(), sub: `${CUSTOMER}\n` })],
  ['a subject that is a list', () => token({}, { ...claims(), sub: [CUSTOMER] })],
  ['a subject that is an object', () => token({}, { ...claims(), sub: { toString: CUSTOMER } })],
  ['claims that are a list', () => token({}, [claims()])],
  ['claims that are no JSON', () => token({}, '{"sub":')],
  ['claims 2,000 deep', () => token({}, '['.repeat(2_000) + ']'.repeat(2_000))],
  ['no signature', () => `${head}.${body}.`],
  ['a signature cut short', () => `${head}.${body}.${tail.slice(0, -2)}`],
  ['other claims under a good signature', () => `${head}.${encode({ ...claims(), sub: crypto.randomUUID() })}.${tail}`],
  ['two parts', () => `${head}.${body}`],
  ['four parts', () => `${head}.${body}.${tail}.${tail}`],
  ['parts that are not base64', () => `${head}=.${body}=.${tail}=`],
  ['an encrypted token', () => `${encode({ alg: 'dir', enc: 'A256GCM' })}....`],
  ['8,193 bytes', () => 'x'.repeat(8_193)],
  ['nothing', () => ''],
  ['a space in it', () => token().replace('.', ' .')],
  ['a zero byte in it', () => `${token()}\0`],
];

/** What no answer may tell. */
const SECRET = /\bat \/|node_modules|jwks\.json|key-1|Error/;

test('tokens: a good one is its customer’s, also from the cache', async () => {
  const good = `Bearer ${token()}`;
  const answers = [await customerOf(good), await customerOf(good), await customerOf(good.replace('Bearer', 'bearer'))];
  expect(answers).toEqual(Array(3).fill(CUSTOMER));
});

test.each<[string, unknown, string[]]>([
  ['both scopes', 'trade read', ['trade', 'read']],
  ['one among others', 'openid read email', ['openid', 'read', 'email']],
  ['a scope that only begins like one', 'trader', ['trader']],
  ['none', undefined, []],
  ['a list, which RFC 8693 does not know', ['trade', 'read'], []],
])('tokens: scopes come with it, also from the cache: %s', async (_what, scope, expected) => {
  const scoped = `Bearer ${token({}, { ...claims(), scope })}`;
  const both = [await authenticate(scoped), await authenticate(scoped)];
  expect(both.map(({ scopes }) => [...scopes].filter((each) => each !== ''))).toEqual([expected, expected]);
});

test.each<[string, () => string | undefined, string]>([
  ['nothing', () => undefined, 'no-token'],
  ['no bearer', () => 'Basic YTpi', 'malformed'],
  ['two good tokens', () => `Bearer ${token()}, Bearer ${token()}`, 'two-tokens'],
  ['no JWT', () => 'Bearer letmein', 'malformed'],
  ['too many bytes', () => `Bearer ${'x'.repeat(8_193)}`, 'too-long'],
  ['HS256', () => `Bearer ${confused(pem)}`, 'algorithm'],
  ['a key that is not the issuer’s', () => `Bearer ${token({ kid: 'key-2' })}`, 'unknown-key'],
  ['a stranger’s signature', () => `Bearer ${token({}, claims(), strangers.privateKey)}`, 'signature'],
  ['another issuer', () => `Bearer ${token({}, { ...claims(), iss: 'x' })}`, 'issuer'],
  ['another audience', () => `Bearer ${token({}, { ...claims(), aud: 'x' })}`, 'audience'],
  ['one that has ended', () => `Bearer ${token({}, { ...claims(), exp: nowSeconds() - 60 })}`, 'expired'],
  ['one that begins later', () => `Bearer ${token({}, { ...claims(), iat: nowSeconds() + 60 })}`, 'not-yet'],
  ['one for a year', () => `Bearer ${token({}, { ...claims(), exp: nowSeconds() + 31_536_000 })}`, 'lifetime'],
  ['another kind of subject', () => `Bearer ${token({}, { ...claims(), sub: 'admin' })}`, 'subject'],
])('tokens: the log is told why: %s', async (_what, authorization, why) => {
  await expect(authenticate(authorization())).rejects.toMatchObject({ why, code: Status.UNAUTHENTICATED });
});

test.each(BROKEN)('tokens: %s is UNAUTHENTICATED, each time', async (what, make) => {
  for (let i = 0; i < 2; i += 1) {
    const error = await authenticate(`Bearer ${make()}`).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: 'IdentityRefusedError',
      code: Status.UNAUTHENTICATED,
      details: { info: { reason: what === 'an end in the past' ? 'TOKEN_EXPIRED' : 'INVALID_TOKEN' } },
    });
    expect((error as RpcError).message).not.toMatch(SECRET);
  }
});

test.each([
  undefined,
  '',
  'Bearer',
  'Bearer ',
  'Basic YTpi',
  `Bearer  ${head}.${body}.${tail}`,
  `Bearer ${head}.${body}.${tail}, Bearer x`,
])('tokens: the header %j is UNAUTHENTICATED', async (header) => {
  await expect(authenticate(header)).rejects.toMatchObject({ code: Status.UNAUTHENTICATED });
});

test('tokens: one that was good stops to be when it ends, although it was cached', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  const short = `Bearer ${token({}, { ...claims(), exp: nowSeconds() + 30 })}`;
  expect(await customerOf(short)).toBe(CUSTOMER);
  vi.setSystemTime(Date.now() + 29_000);
  expect(await customerOf(short)).toBe(CUSTOMER);
  vi.setSystemTime(Date.now() + 7_000);
  await expect(authenticate(short)).rejects.toMatchObject({ code: Status.UNAUTHENTICATED, message: 'the token has expired' });
});

test('tokens: one character changed anywhere makes a good token UNAUTHENTICATED', async () => {
  const good = token();
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: good.length - 1 }), fc.constantFrom(...'AZaz09-_.'), async (at, character) => {
      const changed = good.slice(0, at) + character + good.slice(at + 1);
      // The last character of a part has bits that nothing reads: another spelling of the same bytes.
      fc.pre(changed !== good && !sameBytes(changed, good));
      await expect(authenticate(`Bearer ${changed}`)).rejects.toBeInstanceOf(RpcError);
    }),
    { numRuns: 150 },
  );
});

function sameBytes(a: string, b: string): boolean {
  const bytes = (text: string) =>
    text
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString('hex'))
      .join();
  return bytes(a) === bytes(b);
}
