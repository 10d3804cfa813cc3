import { readFileSync } from 'node:fs';
import { RpcError, Status } from '@stockbroker/rpc';
import { isUuid } from '@stockbroker/trading';
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';

export interface AuthOptions {
  /** URL or file of the issuer's public keys. */
  jwks: string;
  issuer: string;
  audience: string;
  algorithms: string[];
}

/** The customer in whose name a call is made. @throws RpcError UNAUTHENTICATED, or UNAVAILABLE when the keys cannot be had */
export type Authenticate = (authorization: string | undefined) => Promise<string>;

/** Verifying an EdDSA token takes 300 µs, and a client sends the same one with each call. */
const CACHED_TOKENS = 20_000;
/** All cached tokens together: one may be as long as the longest header that is taken. */
const CACHED_BYTES = 32 * 1024 * 1024;
/** A token is verified again after this long at the latest, so that one whose key the issuer has withdrawn does not live to its end. */
const CACHED_MS = 5 * 60_000;
const CLOCK_TOLERANCE_SECONDS = 5;
const MAX_TOKEN_BYTES = 8_192;
/** What an entry of the cache takes beside its token, about. */
const ENTRY_BYTES = 300;

export function createAuthenticate(options: AuthOptions): Authenticate {
  const keys = loadKeys(options.jwks);
  const verified = new LRUCache<string, { customerId: string; trustedUntilMs: number }>({
    max: CACHED_TOKENS,
    maxSize: CACHED_BYTES,
    sizeCalculation: (_entry, token) => token.length + ENTRY_BYTES,
  });

  return async (authorization) => {
    const token = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw unauthenticated('send a token as `authorization: Bearer <token>`');
    if (token.length > MAX_TOKEN_BYTES) throw unauthenticated('the token is too long');
    const cached = verified.get(token);
    if (cached !== undefined && cached.trustedUntilMs > Date.now()) return cached.customerId;
    const result = await verify(token, keys, options);
    verified.set(token, result);
    return result.customerId;
  };
}

function loadKeys(jwks: string): JWTVerifyGetKey {
  if (/^https?:\/\//.test(jwks)) return createRemoteJWKSet(new URL(jwks), { timeoutDuration: 5_000 });
  return createLocalJWKSet(JSON.parse(readFileSync(jwks, 'utf8')));
}

async function verify(token: string, keys: JWTVerifyGetKey, { issuer, audience, algorithms }: AuthOptions) {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms,
      requiredClaims: ['sub', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    const { sub, exp = 0 } = payload;
    // Not only its text: ["<an id>"] reads like that id.
    if (typeof sub !== 'string' || !isUuid(sub)) throw unauthenticated('the token’s subject is not a customer id');
    return { customerId: sub, trustedUntilMs: Math.min(exp * 1_000, Date.now() + CACHED_MS) };
  } catch (error) {
    if (error instanceof RpcError) throw error;
    throw isTokensFault(error) ? unauthenticated(describe(error), error) : keysUnavailable(error);
  }
}

/** What is not the token's fault is about fetching the keys: a timeout, an answer that is no key set, or no answer. */
function isTokensFault(error: unknown): error is errors.JOSEError {
  const isAboutKeys =
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    (error as errors.JOSEError).code === 'ERR_JOSE_GENERIC';
  return error instanceof errors.JOSEError && !isAboutKeys;
}

function describe(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `the token’s claim "${error.claim}" is not accepted`;
  return 'the token is not valid here';
}

function unauthenticated(message: string, cause?: unknown): RpcError {
  return new RpcError(Status.UNAUTHENTICATED, message, { info: { reason: 'INVALID_TOKEN' } }, { cause });
}

function keysUnavailable(cause: unknown): RpcError {
  return new RpcError(Status.UNAVAILABLE, 'the token cannot be checked now', { retryAfterMs: 1_000 }, { cause });
}
