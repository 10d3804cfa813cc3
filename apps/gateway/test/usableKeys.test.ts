import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { Status } from '@stockbroker/rpc';
import type { Log } from '@stockbroker/runtime';
import type { JWK } from 'jose';
import { afterEach, expect, test } from 'vitest';
import { createAuthenticate } from '../src/identity/authenticate.ts';
import { IssuerKeys } from '../src/identity/issuerKeys.ts';

/** Key sets of an issuer that are broken in part or whole, and tokens that name their keys. */
const ISSUER = 'https://issuer.test';
const CUSTOMER = '0198c0de-0000-7000-8000-000000000001';
const ALGORITHMS = ['EdDSA', 'ES256', 'RS256'];
const edwards = generateKeyPairSync('ed25519');
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const short = generateKeyPairSync('rsa', { modulusLength: 1_024 });
const jwkOf = (key: KeyObject): JWK => key.export({ format: 'jwk' });
const GOOD = { ...jwkOf(edwards.publicKey), kid: 'good', alg: 'EdDSA', use: 'sig' };
const [EC, RSA] = [
  { ...jwkOf(curve.publicKey), kid: 'bad' },
  { ...jwkOf(rsa.publicKey), kid: 'bad' },
];
const ED = { ...jwkOf(edwards.publicKey), kid: 'bad' };
const zeros = (bytes: number) => Buffer.alloc(bytes).toString('base64url');
const without = (key: JWK, name: string) => Object.fromEntries(Object.entries(key).filter(([each]) => each !== name));

const opened: IssuerKeys[] = [];
afterEach(() => {
  for (const keys of opened.splice(0)) keys.stop();
});

async function open(published: () => unknown, refreshMs = 600_000) {
  const warnings: { kid?: string; why?: string }[] = [];
  const log = { info: () => {}, warn: (fields: object) => warnings.push(fields) } as unknown as Log;
  const patient = { cooldownMs: 600_000, staleMs: 600_000, refreshMs };
  const keys = new IssuerKeys({ read: async () => published(), algorithms: ALGORITHMS, ...patient, log });
  opened.push(keys);
  await keys.start();
  const policy = { issuer: ISSUER, audience: 'stockbroker', algorithms: ALGORITHMS, maxLifetimeSeconds: 3_600 };
  const authenticate = createAuthenticate({ keys, ...policy });
  return { keys, warnings, authenticate: (token: string) => authenticate(`Bearer ${token}`) };
}

function token(kid: string, alg: string, signer: (content: Buffer) => Buffer = () => Buffer.alloc(64, 1)): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = { sub: CUSTOMER, iss: ISSUER, aud: 'stockbroker', iat: now, exp: now + 600 };
  const content = [{ alg, kid }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${content}.${signer(Buffer.from(content)).toString('base64url')}`;
}

const signed = (kid: string) => token(kid, 'EdDSA', (content) => sign(null, content, edwards.privateKey));

test.each<[string, unknown, string]>([
  ['RSA of 1,024 bits', { ...jwkOf(short.publicKey), kid: 'bad' }, 'RS256'],
  ['RSA of 16,384 bits', { ...RSA, n: Buffer.alloc(2_048, 255).toString('base64url') }, 'RS256'],
  ['RSA without its modulus', without(RSA, 'n'), 'RS256'],
  ['RSA without its exponent', without(RSA, 'e'), 'RS256'],
  ['RSA whose modulus is a number', { ...RSA, n: 12 }, 'RS256'],
  ['RSA with the exponent 1, for which everybody can sign', { ...RSA, e: 'AQ' }, 'RS256'],
  ['RSA with an even exponent', { ...RSA, e: 'AQAA' }, 'RS256'],
  ['RSA with a vast exponent', { ...RSA, e: RSA.n }, 'RS256'],
  ['a point that is not on its curve', { ...EC, y: EC.x }, 'ES256'],
  ['a point at nothing', { ...EC, x: zeros(32), y: zeros(32) }, 'ES256'],
  ['a point without its half', without(EC, 'y'), 'ES256'],
  ['a point too long', { ...EC, x: zeros(400) }, 'ES256'],
  ['another curve than it says', { ...EC, crv: 'P-384' }, 'ES256'],
  ['an unknown curve', { ...EC, crv: 'P-257' }, 'ES256'],
  ['an algorithm of another kind of key', { ...EC, alg: 'RS256' }, 'RS256'],
  ['an unknown algorithm', { ...RSA, alg: 'RS257' }, 'RS256'],
  ['an algorithm that is no text', { ...RSA, alg: ['RS256'] }, 'RS256'],
  ['an algorithm that is not accepted', { ...RSA, alg: 'PS512' }, 'PS512'],
  ['an algorithm to encrypt with', { ...RSA, alg: 'RSA-OAEP' }, 'RS256'],
  ['a key to encrypt with', { ...RSA, use: 'enc' }, 'RS256'],
  ['a key that may only sign', { ...ED, key_ops: ['sign'] }, 'EdDSA'],
  ['operations that are no list', { ...ED, key_ops: 'verify' }, 'EdDSA'],
  ['an Ed25519 key too short', { ...ED, x: zeros(31) }, 'EdDSA'],
  ['an Ed25519 key that is no base64', { ...ED, x: '***' }, 'EdDSA'],
  ['a private key', { ...jwkOf(edwards.privateKey), kid: 'bad' }, 'EdDSA'],
  ['a secret', { kty: 'oct', k: zeros(32), kid: 'bad', alg: 'HS256' }, 'HS256'],
  ['an unknown kind of key', { kty: 'DNA', kid: 'bad' }, 'EdDSA'],
  ['no kind of key', { kid: 'bad' }, 'EdDSA'],
  ['a certificate that is none', { kty: 'RSA', x5c: ['***'], kid: 'bad' }, 'RS256'],
])(
  'keys: %s is left out with a warning, the others stay good, and tokens that name it are UNAUTHENTICATED',
  async (_what, key, alg) => {
    const { keys, warnings, authenticate } = await open(() => ({ keys: [key, GOOD] }));
    expect(warnings).toEqual([{ kid: 'bad', why: expect.any(String) }]);
    expect(keys.problem()).toBeUndefined();
    for (let i = 0; i < 2; i += 1) {
      const refused = { name: 'IdentityRefusedError', code: Status.UNAUTHENTICATED };
      await expect(authenticate(token('bad', alg))).rejects.toMatchObject(refused);
    }
    expect(await authenticate(signed('good'))).toMatchObject({ customerId: CUSTOMER });
  },
);

test.each<[string, unknown]>([
  ['null', null],
  ['text', 'key'],
  ['a list', [GOOD]],
  ['a key with an id that is an object', { ...ED, kid: { toString: 1 } }],
])('keys: %s among them spoils no other', async (_what, key) => {
  const { warnings, authenticate } = await open(() => ({ keys: [key, GOOD] }));
  expect(warnings).toEqual([{ kid: undefined, why: expect.any(String) }]);
  expect(await authenticate(signed('good'))).toMatchObject({ customerId: CUSTOMER });
});

test('keys: of two with one id the first counts', async () => {
  const other = jwkOf(generateKeyPairSync('ed25519').publicKey);
  const { warnings, authenticate } = await open(() => ({ keys: [GOOD, { ...other, kid: 'good' }, { ...EC, kid: 'good' }] }));
  expect(warnings).toEqual([{ kid: 'good', why: 'an earlier key has the same kid' }]);
  expect(await authenticate(signed('good'))).toMatchObject({ customerId: CUSTOMER });
  const byCurve = token('good', 'ES256', (content) =>
    sign('sha256', content, { key: curve.privateKey, dsaEncoding: 'ieee-p1363' }),
  );
  expect(await authenticate(byCurve)).toMatchObject({ customerId: CUSTOMER });
});

test('keys: a set of thousands costs no more than a hundred, and some lines', async () => {
  const many = Array.from({ length: 3_000 }, (_, i) => ({ ...GOOD, kid: `key-${i}` }));
  const { warnings, authenticate } = await open(() => ({ keys: many }));
  expect(warnings).toHaveLength(20);
  expect(await authenticate(signed('key-99'))).toMatchObject({ customerId: CUSTOMER });
  await expect(authenticate(signed('key-100'))).rejects.toMatchObject({ why: 'unknown-key' });
});

test('keys: the warning comes once for each change of the set, not with each reading', async () => {
  let published = { keys: [{ ...RSA, use: 'enc' }, GOOD] };
  let readings = 0;
  const { warnings } = await open(() => {
    readings += 1;
    return published;
  }, 10);
  await expect.poll(() => readings).toBeGreaterThan(5);
  expect(warnings).toHaveLength(1);
  published = { keys: [...published.keys, { ...EC, use: 'enc' }] };
  const before = readings;
  await expect.poll(() => readings).toBeGreaterThan(before + 5);
  expect(warnings).toHaveLength(3);
});

test('keys: a set without one good key is taken, refuses all, and is a problem of the gateway', async () => {
  let published: unknown = { keys: [GOOD] };
  const { keys, authenticate } = await open(() => published, 10);
  await authenticate(signed('good'));
  published = { keys: [] };
  await expect.poll(() => keys.problem()).toBe('the issuer publishes no key that tokens can be checked with');
  await expect(authenticate(signed('good'))).rejects.toMatchObject({ code: Status.UNAUTHENTICATED, why: 'unknown-key' });
  published = { keys: [GOOD] };
  await expect.poll(() => keys.problem()).toBeUndefined();
});

test.each([undefined, null, 1, 'keys', [], {}, { keys: null }, { keys: {} }, { keys: 'none' }])(
  'keys: %j is no set, and those read before stay',
  async (broken) => {
    let published: unknown = { keys: [GOOD] };
    let readings = 0;
    const { warnings, authenticate } = await open(() => {
      readings += 1;
      return published;
    }, 10);
    published = broken;
    const before = readings;
    await expect.poll(() => readings).toBeGreaterThan(before + 3);
    expect(warnings).toHaveLength(1);
    expect(await authenticate(signed('good'))).toMatchObject({ customerId: CUSTOMER });
  },
);

test('keys: a secret among them is nobody’s to sign with', async () => {
  const secret = Buffer.alloc(32, 7);
  const { authenticate } = await open(() => ({ keys: [{ kty: 'oct', k: secret.toString('base64url'), kid: 'bad' }, GOOD] }));
  const forged = token('bad', 'HS256', (content) => createHmac('sha256', secret).update(content).digest());
  await expect(authenticate(forged)).rejects.toMatchObject({ code: Status.UNAUTHENTICATED, why: 'algorithm' });
});
