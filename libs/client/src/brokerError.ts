/** gRPC's codes, by number. */
export const CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;
export type Code = Exclude<(typeof CODES)[number], 'OK'>;

/** Why a call failed, for programs: all that the broker gives, and NOT_STORED when this client's own journal does not work. */
export const REASONS = [
  'ACCOUNT_BUSY',
  'ALREADY_ENDED',
  'ALREADY_EXECUTED',
  'CLIENT_ORDER_ID_USED',
  'DATABASE_UNAVAILABLE',
  'EXCHANGE_UNAVAILABLE',
  'INVALID_TOKEN',
  'ISSUER_UNAVAILABLE',
  'MISSING_SCOPE',
  'NO_ACCOUNT',
  'NO_QUOTE',
  'NOT_STORED',
  'OTHER_CUSTOMER',
  'OVERLOADED',
  'RATE_LIMITED',
  'SLOW_READER',
  'STOPPING',
  'TOKEN_EXPIRED',
  'TOO_MANY_OPEN_TRADES',
  'TOO_MANY_STREAMS',
  'UNKNOWN_TICKER',
] as const;
export type Reason = (typeof REASONS)[number];

/** One field at fault in a request; `field` is its name in the proto. */
export interface FieldViolation {
  field: string;
  description: string;
}

export interface BrokerErrorDetails {
  /** As the server named it. */
  reason?: string | undefined;
  figures?: Record<string, string> | undefined;
  violations?: FieldViolation[] | undefined;
  retryAfterMs?: number | undefined;
}

/** What every call of this package fails with. */
export class BrokerError extends Error {
  readonly code: Code;
  /** Undefined when the server gave none, or one that is newer than this package: see `rawReason`. */
  readonly reason: Reason | undefined;
  readonly rawReason: string | undefined;
  /** Exact figures of the reason, e.g. { order_id: "…" }. */
  readonly figures: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  /** When the server wants to be asked again. */
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, message: string, details: BrokerErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BrokerError';
    this.code = code;
    this.reason = REASONS.find((known) => known === details.reason);
    this.rawReason = details.reason;
    this.figures = details.figures ?? {};
    this.violations = details.violations ?? [];
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** What a gRPC client for Node (RpcChannel of @stockbroker/rpc) fails with, by its shape. */
interface NumberedError {
  code: number;
  message: string;
  details: {
    info?: { reason: string; metadata?: Record<string, string> };
    violations?: FieldViolation[];
    retryAfterMs?: number;
  };
}

/** Every failure as a BrokerError; a bug stays what it is. */
export function toBrokerError(error: unknown): unknown {
  if (!isNumbered(error)) return error;
  const { info, violations, retryAfterMs } = error.details;
  const details = { reason: info?.reason, figures: info?.metadata, violations, retryAfterMs };
  return new BrokerError(codeOf(error.code), error.message, details, { cause: error });
}

/** @param number of a status that is not OK */
export function codeOf(number: number): Code {
  const code = CODES[number];
  return code === undefined || code === 'OK' ? 'UNKNOWN' : code;
}

function isNumbered(error: unknown): error is NumberedError {
  if (!(error instanceof Error) || error instanceof BrokerError) return false;
  const { code, details } = error as Partial<NumberedError>;
  return typeof code === 'number' && typeof details === 'object';
}
