import { createServer } from 'node:net';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  status as Status,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { Arrivals } from './arrivals.ts';
import { type CallContext, contextOf, drained } from './callContext.ts';
import { Connections, type Refused } from './connections.ts';
import { HealthDefinition } from './generated/grpc/health/v1/health.ts';
import { createHealth, type Health } from './health.ts';
import { DEFAULT_LIMITS, type ServerLimits, toServerOptions } from './limits.ts';
import { addReflection } from './reflection.ts';
import { RpcError, toStatusObject } from './rpcError.ts';
import { type MethodDefinition, methodPath, type RequestOf, type ResponseOf, type ServiceDefinition } from './service.ts';

type Handler<M extends MethodDefinition> = M['responseStream'] extends true
  ? (request: RequestOf<M>, context: CallContext) => AsyncIterable<ResponseOf<M>>
  : (request: RequestOf<M>, context: CallContext) => Promise<ResponseOf<M>>;
export type Handlers<D extends ServiceDefinition> = { [K in keyof D['methods']]: Handler<D['methods'][K]> };

export interface GrpcServerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Largest request, bytes. */
  maxRequestBytes: number;
  /** Unary calls in flight; one more is answered RESOURCE_EXHAUSTED. As many more requests may be arriving. */
  maxInFlight: number;
  /** Over the defaults. */
  limits?: Partial<ServerLimits>;
  /** Turns whatever a handler threw into the one error that the client sees. The only place where that happens. */
  toRpcError: (error: unknown, method: string) => RpcError;
  /** Called once a call has ended, for metrics. */
  onCall?: (method: string, code: string, seconds: number) => void;
  /** Called for each connection or request that was ended for breaking a limit, for metrics. */
  onRefused?: (why: Refused) => void;
}

export interface ServiceOptions {
  /** Takes a request that is no protobuf of its method, and may answer it. By default that is INVALID_ARGUMENT. */
  onMalformed?: (context: CallContext, error: RpcError) => Promise<unknown>;
}

type Untyped = (request: unknown, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>;

/** Clients send the beginnings of many calls before the first end: a burst of as many is no attack. */
const LEAST_ARRIVING = 256;

/** A grpc-js server with health and reflection, over handlers that are plain functions. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Server;
  readonly #services: string[] = [];
  readonly #health: Health;
  readonly #connections: Connections;
  readonly #arrivals: Arrivals;
  readonly #maxStreams: number;
  #inFlight = 0;
  #streams = 0;

  constructor(options: GrpcServerOptions) {
    // It would write headers that it cannot read to standard error as they are, tokens among them.
    setLogVerbosity(logVerbosity.NONE);
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { onRefused } = options;
    this.#options = options;
    this.#maxStreams = limits.maxStreams;
    this.#arrivals = new Arrivals({
      timeoutMs: limits.requestTimeoutMs,
      most: Math.max(options.maxInFlight, LEAST_ARRIVING),
      overloaded: (arriving) => toStatusObject(overloaded(`${arriving} calls in flight`)),
      onRefused: () => onRefused?.('slow request'),
    });
    this.#server = new Server({
      ...toServerOptions(limits, options.maxRequestBytes),
      interceptors: [this.#arrivals.interceptor],
    });
    // A listener of our own, because grpc-js gives no hold of its connections.
    const listener = createServer({ noDelay: true });
    this.#connections = new Connections(listener, {
      maxConnections: limits.maxConnections,
      handshakeTimeoutMs: limits.requestTimeoutMs,
      ...(onRefused === undefined ? {} : { onRefused }),
    });
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    listener.on('connection', (socket) => {
      if (!socket.destroyed) injector.injectConnection(socket);
    });
    this.#health = createHealth();
    this.add(HealthDefinition, this.#health.handlers);
    addReflection(this.#server, () => this.#services);
  }

  /** What clients hold of it now: for metrics. */
  get load(): { connections: number; calls: number; streams: number; arriving: number } {
    return {
      connections: this.#connections.count,
      calls: this.#inFlight,
      streams: this.#streams,
      arriving: this.#arrivals.count,
    };
  }

  add<D extends ServiceDefinition>(service: D, handlers: Handlers<D>, options: ServiceOptions = {}): void {
    this.#services.push(service.fullName);
    for (const [key, method] of Object.entries(service.methods)) {
      const path = methodPath(service, method);
      const handler = (handlers as Record<string, Untyped>)[key];
      if (handler === undefined) throw new Error(`${path} has no handler`);
      const bytes = { path, requestStream: false, responseStream: method.responseStream, ...RAW };
      const served: Served = {
        path,
        method,
        handler,
        onMalformed: options.onMalformed,
        // Anyone may ask for the health: that makes nobody a client to be preferred.
        trusted: (peer) => {
          if (service.fullName !== HealthDefinition.fullName) this.#connections.trust(peer);
        },
      };
      if (method.responseStream) {
        this.#server.addService({ [key]: bytes }, { [key]: this.#streamHandler(served) });
      } else {
        this.#server.addService({ [key]: bytes }, { [key]: this.#unaryHandler(served) });
      }
    }
  }

  /** Starts to listen. Health says NOT_SERVING until `setServing(true)`. @returns the port */
  listen(): Promise<number> {
    return this.#connections.listen(this.#options.host, this.#options.port);
  }

  setServing(serving: boolean): void {
    this.#health.set(serving);
  }

  /** Takes no new calls, waits for those in flight up to `timeoutMs`, then cuts them. */
  async stop(timeoutMs: number): Promise<void> {
    this.#health.close();
    const closed = this.#connections.close();
    const timer = setTimeout(() => {
      this.#server.forceShutdown();
      this.#connections.destroy();
    }, timeoutMs);
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    await closed;
    clearTimeout(timer);
    this.#arrivals.stop();
  }

  #unaryHandler(served: Served): handleUnaryCall<Buffer, Buffer> {
    return (call, callback) => {
      const finish = this.#timer(served.path);
      if (this.#inFlight >= this.#options.maxInFlight) {
        finish(Status.RESOURCE_EXHAUSTED);
        callback(toStatusObject(overloaded(`${this.#options.maxInFlight} calls in flight`)));
        return;
      }
      this.#inFlight += 1;
      callUnary(served, call).then(
        (response) => {
          this.#inFlight -= 1;
          served.trusted(call.getPeer());
          finish(Status.OK);
          callback(null, response);
        },
        (error: unknown) => {
          this.#inFlight -= 1;
          const rpcError = this.#options.toRpcError(error, served.path);
          finish(rpcError.code);
          callback(toStatusObject(rpcError));
        },
      );
    };
  }

  #streamHandler(served: Served): handleServerStreamingCall<Buffer, Buffer> {
    return (call) => {
      const finish = this.#timer(served.path);
      if (this.#streams >= this.#maxStreams) {
        finish(Status.RESOURCE_EXHAUSTED);
        call.emit('error', toStatusObject(overloaded(`${this.#maxStreams} streams open`)));
        return;
      }
      this.#streams += 1;
      callStream(served, call).then(
        () => {
          this.#streams -= 1;
          finish(Status.OK);
          call.end();
        },
        (error: unknown) => {
          this.#streams -= 1;
          const rpcError = this.#options.toRpcError(error, served.path);
          finish(rpcError.code);
          call.emit('error', toStatusObject(rpcError));
        },
      );
    };
  }

  #timer(path: string): (code: Status) => void {
    const started = performance.now();
    return (code) => this.#options.onCall?.(path, Status[code], (performance.now() - started) / 1000);
  }
}

/** A method with all that its calls need. */
interface Served {
  path: string;
  method: MethodDefinition;
  handler: Untyped;
  onMalformed: ServiceOptions['onMalformed'];
  /** Told of a peer that has got an answer. */
  trusted: (peer: string) => void;
}

async function callUnary({ path, method, handler, onMalformed }: Served, call: ServerUnaryCall<Buffer, Buffer>): Promise<Buffer> {
  const context = contextOf(path, call);
  const request = decodeRequest(method, call.request);
  if (!(request instanceof RpcError)) return encodeResponse(method, await (handler(request, context) as Promise<unknown>));
  if (onMalformed === undefined) throw request;
  return encodeResponse(method, await onMalformed(context, request));
}

async function callStream({ path, method, handler, trusted }: Served, call: ServerWritableStream<Buffer, Buffer>): Promise<void> {
  const context = contextOf(path, call);
  const request = decodeRequest(method, call.request);
  if (request instanceof RpcError) throw request;
  for await (const response of handler(request, context) as AsyncIterable<unknown>) {
    if (context.signal.aborted) return;
    trusted(context.peer);
    const hasRoom = call.write(encodeResponse(method, response));
    if (!hasRoom) await drained(call, context.signal);
  }
}

/** Messages pass grpc-js as bytes, so that a malformed one is the client's typed error, and signatures see what was sent. */
const RAW = {
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
};

/** grpc-js wants a Buffer, not the Uint8Array that protobuf makes; this is a view, not a copy. */
function encodeResponse(method: MethodDefinition, response: unknown): Buffer {
  const bytes = method.responseType.encode(response).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decodeRequest(method: MethodDefinition, bytes: Buffer): unknown {
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

function overloaded(limit: string): RpcError {
  return new RpcError(Status.RESOURCE_EXHAUSTED, `the server has ${limit}, its limit: try again shortly`, {
    info: { reason: 'OVERLOADED' },
    retryAfterMs: 100,
  });
}
