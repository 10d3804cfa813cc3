import { RpcError, Status } from '@stockbroker/rpc';
import { uuidOf } from '@stockbroker/trading';
import { errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { type IssuerKeys, KeysUnavailableError } from './issuerKeys.ts';
import { type IdentityRefusedError, tokenExpired, unauthenticated, type Why } from './refused.ts';

export interface AuthOptions {
  keys: Pick<IssuerKeys, 'find' | 'version' | 'areUsable'>;
  issuer: string;
  audience: string;
  algorithms: string[];
  /** From a token's `iat` to its `exp` at most. */
  maxLifetimeSeconds: number;
}

/** What a token says of its bearer. */
export interface Identity {
  customerId: string;
  /** Of the claim `scope`, RFC 8693. */
  scopes: ReadonlySet<string>;
  /** Milliseconds since 1970, with the tolerance for clocks that differ. */
  expiresAtMs: number;
}

export interface Authenticate {
  /** @throws IdentityRefusedError UNAUTHENTICATED; RpcError UNAVAILABLE when the issuer's keys cannot be had */
  (authorization: string | undefined): Promise<Identity>;
  /** Whose a token is that has been found good before, and still is; undefined for any other: that one has to be checked. */
  known(authorization: string | undefined): Identity | undefined;
}

/** Verifying an EdDSA token takes 300 µs, and a client sends the same one with each call. */
const CACHED_TOKENS = 20_000;
/** All cached tokens together: one may be as long as the longest header that is taken. */
const CACHED_BYTES = 32 * 1024 * 1024;
const CLOCK_TOLERANCE_SECONDS = 5;
const MAX_TOKEN_BYTES = 8_192;
const BEARER = /^Bearer ([\w.~+/=-]+)$/i;
/** What an entry of the cache takes beside its token, about. */
const ENTRY_BYTES = 500;

export function createAuthenticate(options: AuthOptions): Authenticate {
  const { keys } = options;
  const verified = new LRUCache<string, { identity: Identity; keysVersion: number }>({
    max: CACHED_TOKENS,
    maxSize: CACHED_BYTES,
    sizeCalculation: (_entry, token) => token.length + ENTRY_BYTES,
  });

  // Only while the key that it was verified with is known to be the issuer's.
  const recall = (token: string): Identity | undefined => {
    const cached = verified.get(token);
    return cached?.keysVersion === keys.version && keys.areUsable ? cached.identity : undefined;
  };
  const known = (authorization: string | undefined) => {
    const identity = recall(BEARER.exec(authorization ?? '')?.[1] ?? '');
    return identity !== undefined && identity.expiresAtMs > Date.now() ? identity : undefined;
  };
  const authenticate = async (authorization: string | undefined) => {
    const token = readToken(authorization);
    const cached = recall(token);
    if (cached !== undefined) {
      if (cached.expiresAtMs <= Date.now()) throw tokenExpired();
      return cached;
    }
    const keysVersion = keys.version;
    const identity = await verify(token, options);
    // Keys that came meanwhile may be others.
    if (keysVersion === keys.version) verified.set(token, { identity, keysVersion });
    return identity;
  };
  return Object.assign(authenticate, { known });
}

function readToken(authorization: string | undefined): string {
  const how = 'send a token as `authorization: Bearer <token>`';
  if (authorization === undefined || authorization === '') throw unauthenticated('no-token', how);
  // What was sent twice arrives with a comma between, which is no part of a token.
  if (authorization.includes(',')) throw unauthenticated('two-tokens', `${how}, once`);
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined) throw unauthenticated('malformed', how);
  if (token.length > MAX_TOKEN_BYTES) throw unauthenticated('too-long', 'the token is too long');
  return token;
}

async function verify(token: string, { keys, issuer, audience, algorithms, maxLifetimeSeconds }: AuthOptions): Promise<Identity> {
  try {
    const { payload } = await jwtVerify(token, keys.find, {
      issuer,
      audience,
      algorithms,
      requiredClaims: ['sub', 'iat', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    const { sub, iat = 0, exp = 0, scope } = payload;
    if (iat > Date.now() / 1_000 + CLOCK_TOLERANCE_SECONDS) throw unauthenticated('not-yet', 'the token’s time has not come yet');
    if (exp - iat > maxLifetimeSeconds) {
      throw unauthenticated(
        'lifetime',
        `the token is meant for ${exp - iat} s; no more than ${maxLifetimeSeconds} s are accepted`,
      );
    }
    // Not only its text: ["<an id>"] reads like that id.
    const customerId = typeof sub === 'string' ? uuidOf(sub) : undefined;
    if (customerId === undefined) throw unauthenticated('subject', 'the token’s subject is not a customer id');
    const scopes = new Set(typeof scope === 'string' ? scope.split(' ') : []);
    return { customerId, scopes, expiresAtMs: (exp + CLOCK_TOLERANCE_SECONDS) * 1_000 };
  } catch (error) {
    if (error instanceof RpcError) throw error;
    if (error instanceof KeysUnavailableError) throw keysUnavailable(error);
    throw refusal(error);
  }
}

const INVALID = 'the token is not valid here';
const WHY_OF_CLAIM: Record<string, Why> = { iss: 'issuer', aud: 'audience', nbf: 'not-yet' };

/** Whatever went wrong with a token, it is refused, and counted as that: anybody can make one that something breaks at. */
function refusal(error: unknown): IdentityRefusedError {
  if (error instanceof errors.JWTExpired) return tokenExpired();
  if (error instanceof errors.JWTClaimValidationFailed) {
    return unauthenticated(WHY_OF_CLAIM[error.claim] ?? 'claim', `the token’s claim "${error.claim}" is not accepted`, error);
  }
  return unauthenticated(whyOf(error), INVALID, error);
}

function whyOf(error: unknown): Why {
  if (!(error instanceof errors.JOSEError)) return 'uncheckable';
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) return 'algorithm';
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return 'unknown-key';
  return error instanceof errors.JWSSignatureVerificationFailed ? 'signature' : 'malformed';
}

function keysUnavailable(cause: KeysUnavailableError): RpcError {
  const details = { info: { reason: 'ISSUER_UNAVAILABLE' }, retryAfterMs: 1_000 };
  return new RpcError(Status.UNAVAILABLE, 'the token cannot be checked now', details, { cause });
}
