import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { type MethodDefinition, methodPath } from '@stockbroker/rpc/wire';
import { BrokerError, type Code } from './brokerError.ts';
import type { CallOptions, TradingCalls } from './calls.ts';
import { errorOf, type Frame, framed, readFrames, readTrailers } from './frames.ts';

export interface WebCallsOptions {
  /** Of the gateway's web port, e.g. "https://broker.example.com". */
  url: string;
  /** The bearer token, asked for at each call, in the call's time. */
  token: () => string | Promise<string>;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** The server tells that a deadline has passed; only when it is silent the client says so itself, a moment later. */
const GRACE_MS = 500;
/** What grpc-timeout can say in milliseconds: eight digits. Timers of more than weeks would end at once. */
const MOST_MS = 99_999_999;

/** The broker's methods over gRPC-Web, with nothing but `fetch`: for browsers and Node alike. They fail with BrokerError. */
export function webCalls(options: WebCallsOptions): TradingCalls {
  const calls = Object.entries(TradingServiceDefinition.methods).map(([key, method]: [string, MethodDefinition]) => [
    key,
    method.responseStream
      ? (request: object, call: CallOptions = {}) => stream(options, method, request, call)
      : (request: object, call: CallOptions = {}) => unary(options, method, request, call),
  ]);
  return Object.fromEntries(calls) as TradingCalls;
}

async function unary(options: WebCallsOptions, method: MethodDefinition, request: object, call: CallOptions): Promise<unknown> {
  const withDeadline = { ...call, timeoutMs: call.timeoutMs ?? DEFAULT_TIMEOUT_MS };
  let response: unknown;
  for await (const message of stream(options, method, request, withDeadline)) response = message;
  if (response === undefined) throw new BrokerError('INTERNAL', 'the answer has no message');
  return response;
}

async function* stream(
  options: WebCallsOptions,
  method: MethodDefinition,
  request: object,
  { timeoutMs, signal }: CallOptions,
): AsyncGenerator<unknown> {
  const waitsMs = timeoutMs === undefined ? undefined : Math.min(MOST_MS, Math.max(1, Math.ceil(timeoutMs)));
  const deadline = waitsMs === undefined ? undefined : AbortSignal.timeout(waitsMs + GRACE_MS);
  const until = AbortSignal.any([signal, deadline].filter((each) => each !== undefined));
  try {
    const token = await orAborted(options.token(), until);
    const response = await fetch(new URL(methodPath(TradingServiceDefinition, method), options.url), {
      method: 'POST',
      headers: {
        'content-type': 'application/grpc-web+proto',
        'x-grpc-web': '1',
        authorization: `Bearer ${token}`,
        ...(waitsMs === undefined ? {} : { 'grpc-timeout': `${waitsMs}m` }),
      },
      body: framed(method.requestType.encode(method.requestType.fromPartial(request)).finish()),
      signal: until,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    });
    let trailers: Uint8Array | undefined;
    // To its very end: a body that is given up before costs its connection.
    for await (const frame of framesOf(response)) {
      if (frame.isTrailers) trailers = frame.content;
      else yield method.responseType.decode(frame.content);
    }
    const error = trailers === undefined ? new BrokerError('UNAVAILABLE', 'the answer broke off') : readTrailers(trailers);
    if (error !== undefined) throw error;
  } catch (error) {
    throw described(error, deadline, signal);
  }
}

/** What is waited for, unless the signal comes first. @throws the signal's reason */
async function orAborted<T>(value: T | Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([aborted, value]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function framesOf(response: Response): AsyncIterable<Frame> {
  const status = response.headers.get('grpc-status');
  const error = status === null || status === '0' ? undefined : errorOf((name) => response.headers.get(name));
  if (error !== undefined) throw error;
  if (response.ok && response.body !== null) return readFrames(response.body);
  throw new BrokerError(codeOfHttp(response.status), `the server answered with HTTP status ${response.status}`);
}

/** As gRPC maps what is between client and server, e.g. a balancer: github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
function codeOfHttp(status: number): Code {
  if (status === 400) return 'INTERNAL';
  if (status === 401) return 'UNAUTHENTICATED';
  if (status === 403) return 'PERMISSION_DENIED';
  if (status === 404) return 'UNIMPLEMENTED';
  return [429, 502, 503, 504].includes(status) ? 'UNAVAILABLE' : 'UNKNOWN';
}

function described(error: unknown, deadline: AbortSignal | undefined, signal: AbortSignal | undefined): unknown {
  if (error instanceof BrokerError) return error;
  if (signal?.aborted === true) return new BrokerError('CANCELLED', 'cancelled by the caller', {}, { cause: error });
  if (deadline?.aborted === true) return new BrokerError('DEADLINE_EXCEEDED', 'no answer in time', {}, { cause: error });
  // fetch says no more than that, and neither does a body that breaks off.
  if (error instanceof TypeError) return new BrokerError('UNAVAILABLE', 'the server cannot be reached', {}, { cause: error });
  return error;
}
