import { Metadata as GrpcMetadata, type Metadata, type ServiceError, status as Status, type StatusObject } from '@grpc/grpc-js';
import type { Any } from './generated/google/protobuf/any.ts';
import { BadRequest, ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
import { Status as StatusMessage } from './generated/google/rpc/status.ts';

export { Status };

export type StatusName = keyof typeof Status;
export const STATUS_NAMES = Object.keys(Status).filter((name): name is StatusName => Number.isNaN(Number(name)));

const DETAILS_KEY = 'grpc-status-details-bin';
const TYPE_PREFIX = 'type.googleapis.com/';
const DOMAIN = 'stockbroker';

/** One field at fault in a request; `field` is its name in the proto. */
export interface FieldViolation {
  field: string;
  description: string;
}

export interface RpcErrorDetails {
  /** UPPER_SNAKE_CASE cause for programs, with exact figures. */
  info?: { reason: string; metadata?: Record<string, string> };
  violations?: FieldViolation[];
  /** When to try again. */
  retryAfterMs?: number;
}

/** A google.rpc.Status as an error: thrown by handlers, and by client calls when the server answered with one. */
export class RpcError extends Error {
  readonly code: Status;
  readonly details: RpcErrorDetails;

  constructor(code: Status, message: string, details: RpcErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RpcError';
    this.code = code;
    this.details = details;
  }

  /** The code's name, e.g. "NOT_FOUND". */
  get codeName(): string {
    return Status[this.code] ?? String(this.code);
  }
}

/**
 * Status and message travel as headers, of which a client takes a few kilobytes: a longer one would cost the connection. Whatever
 * a message repeats of a request is cut to this.
 */
const MAX_MESSAGE_CHARACTERS = 512;

/** For the server: the error as grpc-js sends it, with google.rpc details. */
export function toStatusObject(error: RpcError): StatusObject {
  const metadata = new GrpcMetadata();
  const { code, message, details } = encodeStatus(error);
  if (details !== undefined) metadata.set(DETAILS_KEY, details);
  return { code, details: message, metadata };
}

/** What every protocol of the gRPC family sends of an error. @param error undefined: none */
export function encodeStatus(error: RpcError | undefined): { code: Status; message: string; details: Buffer | undefined } {
  if (error === undefined) return { code: Status.OK, message: '', details: undefined };
  const { code } = error;
  const message = shortened(error.message);
  const details = packDetails(error.details).map(({ type, value }) => ({ typeUrl: `${TYPE_PREFIX}${type}`, value }));
  if (details.length === 0) return { code, message, details: undefined };
  return { code, message, details: Buffer.from(StatusMessage.encode(StatusMessage.create({ code, message, details })).finish()) };
}

/** The error in JSON, as the Connect protocol has it: details for programs as protobuf, and readable beside it. */
export function describeDetails(error: RpcError): {
  message: string;
  details: { type: string; value: string; debug: unknown }[];
} {
  const details = packDetails(error.details).map(({ type, value, readable }) => {
    return { type, value: unpaddedBase64(value), debug: readable };
  });
  return { message: shortened(error.message), details };
}

/** Also well-formed: grpc-js would throw on half a surrogate pair, outside of any handler. */
function shortened(text: string): string {
  const short = text.length > MAX_MESSAGE_CHARACTERS ? `${text.slice(0, MAX_MESSAGE_CHARACTERS)}…` : text;
  return short.toWellFormed();
}

/** What grpc-js says of a connection that ended without an error, or with one that has no message. */
const NO_REASON = /Last error: (?:undefined|null|(?:Aggregate)?Error(?: \[\w+\])?:? ?)\./;

/** For the client: grpc-js's error as an RpcError. */
export function fromServiceError(error: ServiceError): RpcError {
  const message = (error.details || error.message).replace(NO_REASON, 'Last error: the connection was closed.');
  return new RpcError(error.code, message, unpackDetails(error.metadata), { cause: error });
}

/** As the protocols of the gRPC family write bytes in headers and JSON. */
export function unpaddedBase64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/** A detail as protobuf, and as it reads in JSON. */
interface Packed {
  type: string;
  value: Buffer;
  readable: unknown;
}

function packDetails({ info, violations, retryAfterMs }: RpcErrorDetails): Packed[] {
  const details: Packed[] = [];
  const add = (type: string, value: Uint8Array, readable: unknown) => details.push({ type, value: Buffer.from(value), readable });
  if (info !== undefined) {
    const message = ErrorInfo.create({ reason: info.reason, domain: DOMAIN, metadata: info.metadata ?? {} });
    add('google.rpc.ErrorInfo', ErrorInfo.encode(message).finish(), ErrorInfo.toJSON(message));
  }
  if (violations !== undefined) {
    const message = BadRequest.create({ fieldViolations: violations });
    add('google.rpc.BadRequest', BadRequest.encode(message).finish(), BadRequest.toJSON(message));
  }
  if (retryAfterMs !== undefined) {
    const retryDelay = { seconds: BigInt(Math.floor(retryAfterMs / 1000)), nanos: (retryAfterMs % 1000) * 1_000_000 };
    const readable = { retryDelay: `${retryAfterMs / 1_000}s` };
    add('google.rpc.RetryInfo', RetryInfo.encode(RetryInfo.create({ retryDelay })).finish(), readable);
  }
  return details;
}

function unpackDetails(metadata: Metadata | undefined): RpcErrorDetails {
  const bytes = metadata?.get(DETAILS_KEY)[0];
  const details: RpcErrorDetails = {};
  if (!(bytes instanceof Uint8Array)) return details;
  try {
    readDetails(StatusMessage.decode(bytes).details, details);
  } catch {
    // Malformed details of a server that is not ours: the code and the message stand without them.
  }
  return details;
}

function readDetails(packed: Any[], details: RpcErrorDetails): void {
  for (const any of packed) {
    switch (any.typeUrl.slice(TYPE_PREFIX.length)) {
      case 'google.rpc.ErrorInfo': {
        const { reason, metadata: figures } = ErrorInfo.decode(any.value);
        details.info = { reason, metadata: figures };
        break;
      }
      case 'google.rpc.BadRequest':
        details.violations = BadRequest.decode(any.value).fieldViolations.map(({ field, description }) => ({
          field,
          description,
        }));
        break;
      case 'google.rpc.RetryInfo': {
        const delay = RetryInfo.decode(any.value).retryDelay;
        if (delay !== undefined) details.retryAfterMs = Number(delay.seconds) * 1000 + delay.nanos / 1_000_000;
        break;
      }
      default: // A detail of a kind this client does not know adds nothing it could use.
    }
  }
}
