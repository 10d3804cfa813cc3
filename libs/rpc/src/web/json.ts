import type { IncomingHttpHeaders } from 'node:http';
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Served } from '../calls.ts';
import { descriptors } from '../generated/descriptors.ts';
import { headerOf } from '../http/listener.ts';
import { describeDetails, type FieldViolation, RpcError, Status } from '../rpcError.ts';
import { readConnectTimeout } from '../timeout.ts';
import { numberProblems } from './jsonNumbers.ts';
import { decompressed, type Protocol } from './protocol.ts';

/**
 * Unary calls as JSON, for curl and for everything that has no gRPC: the Connect protocol's unary calls (connectrpc.com/docs/protocol),
 * messages as protobuf's JSON. Fields may also be named as in the proto, and values of enums without their prefix ("BUY").
 */
export function json(maxBytes: number): Protocol {
  return {
    requestHeaders: ['connect-protocol-version', 'connect-timeout-ms', 'content-encoding'],
    timeoutMs: readTimeout,
    read: async (served, body, headers) => {
      const { input } = methodOf(served);
      const bytes = await decompressed(body, headerOf(headers, 'content-encoding'), maxBytes);
      return toBinary(input, readMessage(input, parsed(bytes)));
    },
    answer: (served, response) => {
      const { output } = methodOf(served);
      return { status: 200, headers: HEADERS, body: `${JSON.stringify(toJson(output, fromBinary(output, response)))}\n` };
    },
    refuse: (error) => {
      const { message, details } = describeDetails(error);
      const { retryAfterMs } = error.details;
      const retryAfter = retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) };
      const described = { code: error.codeName.toLowerCase(), message, ...(details.length === 0 ? {} : { details }) };
      const body = `${JSON.stringify(described)}\n`;
      return { status: HTTP_STATUS[error.code] ?? 500, headers: { ...HEADERS, ...retryAfter }, body };
    },
    stream: undefined,
  };
}

const HEADERS = { 'content-type': 'application/json' };

/** As the Connect protocol has them. */
const HTTP_STATUS: Partial<Record<Status, number>> = {
  [Status.CANCELLED]: 499,
  [Status.INVALID_ARGUMENT]: 400,
  [Status.DEADLINE_EXCEEDED]: 504,
  [Status.NOT_FOUND]: 404,
  [Status.ALREADY_EXISTS]: 409,
  [Status.PERMISSION_DENIED]: 403,
  [Status.RESOURCE_EXHAUSTED]: 429,
  [Status.FAILED_PRECONDITION]: 400,
  [Status.ABORTED]: 409,
  [Status.OUT_OF_RANGE]: 400,
  [Status.UNIMPLEMENTED]: 501,
  [Status.UNAVAILABLE]: 503,
  [Status.UNAUTHENTICATED]: 401,
};

const known = new WeakMap<Served, DescMethod>();
let registry: FileRegistry | undefined;

function methodOf(served: Served): DescMethod {
  const found = known.get(served) ?? findMethod(served);
  known.set(served, found);
  return found;
}

function findMethod({ service, method, path }: Served): DescMethod {
  const found = descriptorsOf()
    .getService(service)
    ?.methods.find(({ name }) => name === method.name);
  if (found === undefined) throw new Error(`${path} is not in the descriptors`);
  return found;
}

function descriptorsOf(): FileRegistry {
  registry ??= readDescriptors();
  return registry;
}

function readDescriptors(): FileRegistry {
  const file = descriptors.map(({ descriptor }) => fromBinary(FileDescriptorProtoSchema, Buffer.from(descriptor, 'base64')));
  return createFileRegistry(create(FileDescriptorSetSchema, { file }));
}

/** @throws RpcError */
function parsed(bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new RpcError(Status.INVALID_ARGUMENT, `the body is not JSON: ${(error as Error).message}`, {}, { cause: error });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new RpcError(Status.INVALID_ARGUMENT, 'the body is not a JSON object');
}

/** What is wrong with the numbers in a message's JSON; empty when nothing is. @param type e.g. "exchange.v1.OrderReport" */
export function jsonNumberProblems(type: string, value: unknown): FieldViolation[] {
  const desc = descriptorsOf().getMessage(type);
  if (desc === undefined) throw new Error(`${type} is not in the descriptors`);
  return numberProblems(desc, value);
}

/** @throws RpcError */
function readMessage(desc: DescMessage, value: JsonObject) {
  const violations = numberProblems(desc, value);
  if (violations.length > 0) {
    const message = violations.map(({ field, description }) => `${field} ${description}`).join('; ');
    throw new RpcError(Status.INVALID_ARGUMENT, message, { violations });
  }
  try {
    return fromJson(desc, withEnumNames(desc, value));
  } catch (error) {
    const [, field] = /field [\w.]+\.(\w+)/.exec((error as Error).message) ?? [];
    const description = (error as Error).message.replace(`${desc.typeName}.`, '');
    const violations = field === undefined ? {} : { violations: [{ field, description }] };
    throw new RpcError(Status.INVALID_ARGUMENT, description, violations, { cause: error });
  }
}

/** "BUY" → "TRADE_TYPE_BUY", in the fields of the message itself and in their lists. */
function withEnumNames(desc: DescMessage, value: JsonObject): JsonObject {
  const named = { ...value };
  for (const field of desc.fields) {
    if (field.enum === undefined) continue;
    const { values, sharedPrefix = '' } = field.enum;
    const full = (given: JsonValue) => {
      if (typeof given !== 'string') return given;
      const prefix = sharedPrefix.toUpperCase();
      const found = values.find(({ name }) => name === given || name === `${prefix}${given}`);
      if (found !== undefined) return found.name;
      const names = values.filter(({ number }) => number !== 0).map(({ name }) => name.slice(prefix.length));
      throw new Error(`field ${desc.typeName}.${field.name} must be one of ${names.join(', ')}, but is ${JSON.stringify(given)}`);
    };
    for (const key of [field.name, field.jsonName]) {
      const given = named[key];
      if (given !== undefined) named[key] = Array.isArray(given) ? given.map(full) : full(given);
    }
  }
  return named;
}

/** @throws RpcError */
function readTimeout(headers: IncomingHttpHeaders): number | undefined {
  const text = headerOf(headers, 'connect-timeout-ms');
  return text === undefined ? undefined : readConnectTimeout(text);
}
