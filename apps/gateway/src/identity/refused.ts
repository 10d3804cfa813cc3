import { RpcError, type RpcErrorDetails, Status } from '@stockbroker/rpc';

/** Why an identity was refused, for the log and the metrics: a closed set. */
export const WHYS = [
  'no-token',
  'two-tokens',
  'too-long',
  'malformed',
  'algorithm',
  'unknown-key',
  'signature',
  'uncheckable',
  'issuer',
  'audience',
  'expired',
  'not-yet',
  'lifetime',
  'subject',
  'claim',
  'missing-scope',
  'other-customer',
] as const;
export type Why = (typeof WHYS)[number];

/** A caller who is not who the call needs. */
export class IdentityRefusedError extends RpcError {
  override readonly name = 'IdentityRefusedError';
  readonly why: Why;

  constructor(why: Why, code: Status, message: string, details: RpcErrorDetails, options?: ErrorOptions) {
    super(code, message, details, options);
    this.why = why;
  }
}

/** UNAUTHENTICATED: the answer tells programs only whether a new token will do. */
export function unauthenticated(why: Why, message: string, cause?: unknown): IdentityRefusedError {
  const reason = why === 'expired' ? 'TOKEN_EXPIRED' : 'INVALID_TOKEN';
  return new IdentityRefusedError(why, Status.UNAUTHENTICATED, message, { info: { reason } }, { cause });
}

export function tokenExpired(): IdentityRefusedError {
  return unauthenticated('expired', 'the token has expired');
}

export function missingScope(scope: string): IdentityRefusedError {
  const info = { reason: 'MISSING_SCOPE', metadata: { scope } };
  return new IdentityRefusedError('missing-scope', Status.PERMISSION_DENIED, `the token does not have the scope "${scope}"`, {
    info,
  });
}

export function otherCustomer(): IdentityRefusedError {
  const message = 'customer_id is not the token’s customer; leave it out';
  return new IdentityRefusedError('other-customer', Status.PERMISSION_DENIED, message, { info: { reason: 'OTHER_CUSTOMER' } });
}
