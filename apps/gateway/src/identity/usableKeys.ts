import { type CryptoKey, errors, flattenedVerify, importJWK, type JWK } from 'jose';

/** A key that no token is checked with, and why. */
export interface RefusedKey {
  /** Undefined: it has none that is text. */
  kid: string | undefined;
  why: string;
}

/** Issuers publish a handful. Each is tried, which takes about half a millisecond. */
const MAX_KEYS = 100;
/** What takes OpenSSL long to calculate with, or lets anybody sign. */
const RSA_BITS = { min: 2_048, max: 8_192 };
const RSA_EXPONENT = { min: 3n, max: 2n ** 32n };
/** What fits each kind of key when the key itself does not say. */
const ALGORITHMS: Record<string, RegExp> = {
  RSA: /^(?:RS|PS)(?:256|384|512)$/,
  'EC P-256': /^ES256$/,
  'EC P-384': /^ES384$/,
  'EC P-521': /^ES512$/,
  'OKP Ed25519': /^(?:EdDSA|Ed25519)$/,
};
/** What only the owner of a key may know. */
const PRIVATE_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const NO_SIGNATURE = Buffer.alloc(64).toString('base64url');

/**
 * The keys of a set that tokens can be checked with. Each is tried: a broken one would make an error of every token that names it,
 * and anybody can make such tokens. One broken key spoils no other.
 *
 * @param algorithms that tokens may be signed with
 * @throws Error when it is no key set at all
 */
export async function usableKeys(jwks: unknown, algorithms: readonly string[]): Promise<{ keys: JWK[]; refused: RefusedKey[] }> {
  const published = publishedKeys(jwks);
  const keys: JWK[] = [];
  const refused: RefusedKey[] = [];
  for (const [position, key] of published.entries()) {
    const kid = isObject(key) && typeof key.kid === 'string' ? key.kid : undefined;
    const why = position < MAX_KEYS ? await problemOf(key, keys, algorithms) : `the set has more than ${MAX_KEYS} keys`;
    if (why === undefined) keys.push(key as JWK);
    else refused.push({ kid, why });
  }
  return { keys, refused };
}

/** @throws Error */
function publishedKeys(jwks: unknown): unknown[] {
  const keys = isObject(jwks) ? jwks.keys : undefined;
  if (!Array.isArray(keys)) throw new Error('it is not a JSON Web Key Set: an object with an array "keys"');
  return keys;
}

/** @returns undefined for a key that is as it should be */
async function problemOf(key: unknown, earlier: readonly JWK[], algorithms: readonly string[]): Promise<string | undefined> {
  if (!isObject(key)) return 'it is not an object';
  const { kid, use, key_ops: operations } = key;
  if (kid !== undefined && typeof kid !== 'string') return 'its kid is not text';
  if (PRIVATE_PARTS.some((name) => key[name] !== undefined)) return 'it is not a public key';
  if (use !== undefined && use !== 'sig') return 'its use is not "sig"';
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'its key_ops do not include "verify"';
  const fitting = algorithmsOf(key).filter((name) => fits(key, name));
  const accepted = fitting.filter((name) => algorithms.includes(name));
  if (fitting.length === 0) return 'its kty, crv and alg are none that tokens can be signed with';
  if (accepted.length === 0) return 'its algorithm is not among AUTH_ALGORITHMS';
  if (earlier.some((other) => other.kid === kid && accepted.some((name) => fits(other, name))))
    return 'an earlier key has the same kid';
  return (key.kty === 'RSA' ? rsaProblem(key) : undefined) ?? (await tryKey(key, accepted));
}

function fits(key: Record<string, unknown>, algorithm: string): boolean {
  return algorithmsOf(key).includes(algorithm) && (key.alg === undefined || key.alg === algorithm);
}

function algorithmsOf({ kty, crv }: Record<string, unknown>): string[] {
  const fitting = ALGORITHMS[kty === 'RSA' ? 'RSA' : `${kty} ${crv}`];
  return fitting === undefined ? [] : ALL_ALGORITHMS.filter((name) => fitting.test(name));
}

const ALL_ALGORITHMS = [
  'EdDSA',
  'Ed25519',
  ...['RS', 'PS', 'ES'].flatMap((kind) => ['256', '384', '512'].map((of) => kind + of)),
];

function rsaProblem({ n, e }: Record<string, unknown>): string | undefined {
  const [modulus, exponent] = [numberOf(n), numberOf(e)];
  if (modulus === undefined || exponent === undefined) return 'its n or e is missing or malformed';
  const bits = modulus.toString(2).length;
  if (bits < RSA_BITS.min || bits > RSA_BITS.max) return `its modulus has ${bits} bits, not ${RSA_BITS.min} to ${RSA_BITS.max}`;
  const isOdd = exponent % 2n === 1n;
  return isOdd && exponent >= RSA_EXPONENT.min && exponent <= RSA_EXPONENT.max ? undefined : 'its exponent is not a usual one';
}

function numberOf(text: unknown): bigint | undefined {
  if (typeof text !== 'string' || !/^[\w-]{1,2000}$/.test(text)) return undefined;
  return BigInt(`0x0${Buffer.from(text, 'base64url').toString('hex')}`);
}

/** Checks a signature that nobody has made: what must come of it is a refusal, not another error, and not a success. */
async function tryKey(key: JWK, algorithms: readonly string[]): Promise<string | undefined> {
  for (const alg of algorithms) {
    try {
      const imported = (await importJWK(key, alg)) as CryptoKey;
      const header = Buffer.from(JSON.stringify({ alg })).toString('base64url');
      await flattenedVerify({ protected: header, payload: '', signature: NO_SIGNATURE }, imported);
      return 'anybody can sign for it';
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) return `it cannot be used: ${(error as Error).message}`;
    }
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
