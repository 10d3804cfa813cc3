import { BinaryReader } from '@bufbuild/protobuf/wire';
import { status as Status } from '@grpc/grpc-js';
import { type CallContext, endedBy } from './callContext.ts';
import { RpcError, type StatusName } from './rpcError.ts';
import { type MethodDefinition, methodPath, type RequestOf, type ResponseOf, type ServiceDefinition } from './service.ts';

type Handler<M extends MethodDefinition> = M['responseStream'] extends true
  ? (request: RequestOf<M>, context: CallContext) => AsyncIterable<ResponseOf<M>>
  : (request: RequestOf<M>, context: CallContext) => Promise<ResponseOf<M>>;
export type Handlers<D extends ServiceDefinition> = { [K in keyof D['methods']]: Handler<D['methods'][K]> };

export interface CallsOptions {
  /** Unary calls in flight; one more is answered RESOURCE_EXHAUSTED. */
  maxInFlight: number;
  /** Calls at once that answer with a stream. */
  maxStreams: number;
  /** How long a client may leave what a stream tells, before it is told to call again. */
  stallTimeoutMs: number;
  /** Looks at each call before its handler does. By default all may pass. */
  admit?: Admit | undefined;
  /** Turns whatever a handler threw into the one error that the client sees. The only place where that happens. */
  toRpcError: (error: unknown, method: string) => RpcError;
  /** Called once a call has ended, for metrics. */
  onCall?: ((method: string, code: StatusName, seconds: number) => void) | undefined;
}

/** Lets a call pass, or throws what `toRpcError` makes the answer of. */
export type Admit = (context: CallContext, served: Served) => Promise<Admitted | undefined>;

/** What holds for a call that may pass. */
export interface Admitted {
  /** When a call that is answered with a stream may go on no longer, milliseconds since 1970, and what it is told then. */
  until?: { atMs: number; error: RpcError };
  /** Called once, when the call has ended. */
  release: () => void;
}

export interface ServiceOptions {
  /** Takes a request that is no protobuf of its method, and may answer it. By default that is INVALID_ARGUMENT. */
  onMalformed?: (context: CallContext, error: RpcError) => Promise<unknown>;
}

type Write = (response: Buffer, signal: AbortSignal) => Promise<void>;
type Untyped = (request: unknown, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>;

/** A method with its handler. */
export interface Served {
  /** "/package.Service/Method". */
  path: string;
  service: string;
  method: MethodDefinition;
  handler: Untyped;
  onMalformed: ServiceOptions['onMalformed'];
}

/** What a server does, and the bounds that all its calls share, whichever protocol they come by. Messages are bytes here. */
export class Calls {
  readonly #options: CallsOptions;
  readonly #served = new Map<string, Served>();
  #inFlight = 0;
  #streams = 0;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** Unary calls that are worked on. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get streams(): number {
    return this.#streams;
  }

  add<D extends ServiceDefinition>(service: D, handlers: Handlers<D>, { onMalformed }: ServiceOptions = {}): Served[] {
    return Object.entries(service.methods).map(([key, method]) => {
      const path = methodPath(service, method);
      const handler = (handlers as Record<string, Untyped>)[key];
      if (handler === undefined) throw new Error(`${path} has no handler`);
      const served = { path, service: service.fullName, method, handler, onMalformed };
      this.#served.set(path, served);
      return served;
    });
  }

  /** @param path "/package.Service/Method" */
  find(path: string): Served | undefined {
    return this.#served.get(path);
  }

  /** @throws RpcError */
  async unary(served: Served, context: CallContext): Promise<Buffer> {
    const finish = this.#timer(served.path);
    if (this.#inFlight >= this.#options.maxInFlight) {
      finish(Status.RESOURCE_EXHAUSTED);
      throw overloaded(`${this.#options.maxInFlight} calls in flight`);
    }
    this.#inFlight += 1;
    let admitted: Admitted | undefined;
    try {
      admitted = await this.#options.admit?.(context, served);
      const response = await answered(served, context);
      finish(Status.OK);
      return response;
    } catch (error) {
      throw this.#failed(served, error, finish);
    } finally {
      this.#inFlight -= 1;
      admitted?.release();
    }
  }

  /**
   * @param write resolves when there is room for the next message, or the signal aborts
   * @throws RpcError
   */
  async stream(served: Served, context: CallContext, write: Write): Promise<void> {
    const finish = this.#timer(served.path);
    if (this.#streams >= this.#options.maxStreams) {
      finish(Status.RESOURCE_EXHAUSTED);
      throw overloaded(`${this.#options.maxStreams} streams open`);
    }
    this.#streams += 1;
    const ending = new AbortController();
    const ended = Promise.withResolvers<never>();
    const endable = endedBy(context, ending);
    // Raced: neither a handler that waits nor a client that does not read keeps a call alive that has to end.
    const end = (error: RpcError) => {
      ended.reject(error);
      ending.abort(error);
    };
    let admitted: Admitted | undefined;
    let expiry: NodeJS.Timeout | undefined;
    try {
      admitted = await this.#options.admit?.(endable, served);
      const { until } = admitted ?? {};
      if (until !== undefined) expiry = setTimeout(end, Math.max(0, until.atMs - Date.now()), until.error);
      await Promise.race([this.#tell(served, endable, { write, end }), ended.promise]);
      finish(context.signal.aborted ? Status.CANCELLED : Status.OK);
    } catch (error) {
      throw this.#failed(served, error, finish);
    } finally {
      clearTimeout(expiry);
      this.#streams -= 1;
      admitted?.release();
    }
  }

  async #tell(
    served: Served,
    context: CallContext,
    { write, end }: { write: Write; end: (error: RpcError) => void },
  ): Promise<void> {
    const stalled = () => end(slowReader(this.#options.stallTimeoutMs));
    const request = decodeRequest(served.method, context.rawRequest);
    if (request instanceof RpcError) throw request;
    for await (const response of served.handler(request, context) as AsyncIterable<unknown>) {
      if (context.signal.aborted) break;
      const patience = setTimeout(stalled, this.#options.stallTimeoutMs);
      await write(encodeResponse(served.method, response), context.signal).finally(() => clearTimeout(patience));
    }
  }

  #failed({ path }: Served, error: unknown, finish: (code: Status) => void): RpcError {
    const rpcError = this.#options.toRpcError(error, path);
    finish(rpcError.code);
    return rpcError;
  }

  #timer(path: string): (code: Status) => void {
    const started = performance.now();
    return (code) => this.#options.onCall?.(path, Status[code] as StatusName, (performance.now() - started) / 1000);
  }
}

async function answered({ method, handler, onMalformed }: Served, context: CallContext): Promise<Buffer> {
  const request = decodeRequest(method, context.rawRequest);
  if (!(request instanceof RpcError)) return encodeResponse(method, await (handler(request, context) as Promise<unknown>));
  if (onMalformed === undefined) throw request;
  return encodeResponse(method, await onMalformed(context, request));
}

/** grpc-js wants a Buffer, not the Uint8Array that protobuf makes; this is a view, not a copy. */
function encodeResponse(method: MethodDefinition, response: unknown): Buffer {
  const bytes = method.responseType.encode(response).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decodeRequest(method: MethodDefinition, bytes: Uint8Array): unknown {
  try {
    const reader = new BinaryReader(bytes);
    const request = method.requestType.decode(reader);
    // The generated code stops at a tag that cannot be, as if the message ended there: a part is not what was sent.
    if (reader.pos !== reader.len) throw new RangeError(`the message ends at byte ${reader.pos} of ${reader.len}`);
    return request;
  } catch (error) {
    const message = 'the request is not a valid protobuf message of this method';
    return new RpcError(Status.INVALID_ARGUMENT, message, {}, { cause: error });
  }
}

function slowReader(timeoutMs: number): RpcError {
  return new RpcError(Status.ABORTED, `nothing was read for ${timeoutMs} ms: call again`, { info: { reason: 'SLOW_READER' } });
}

export function overloaded(limit: string): RpcError {
  return new RpcError(Status.RESOURCE_EXHAUSTED, `the server has ${limit}, its limit: try again shortly`, {
    info: { reason: 'OVERLOADED' },
    retryAfterMs: 100,
  });
}
