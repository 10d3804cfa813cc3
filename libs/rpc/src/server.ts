import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  status as Status,
} from '@grpc/grpc-js';
import { HealthDefinition } from './generated/grpc/health/v1/health.ts';
import { createHealth, type Health } from './health.ts';
import { addReflection } from './reflection.ts';
import { RpcError, toStatusObject } from './rpcError.ts';
import { type MethodDefinition, methodPath, type RequestOf, type ResponseOf, type ServiceDefinition } from './service.ts';

/** What a handler may know of its call. */
export interface CallContext {
  /** "/package.Service/Method". */
  method: string;
  /** First value of a request header, by its lower-case name. */
  header(name: string): string | undefined;
  /** Aborts when the client goes away or the deadline passes. */
  signal: AbortSignal;
  /** When the client stops waiting. */
  deadline: Date | undefined;
  /** The client's address. */
  peer: string;
  /** The request as it came, for signatures. */
  rawRequest: Uint8Array;
}

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
  /** Unary calls in flight; one more is answered RESOURCE_EXHAUSTED. */
  maxInFlight: number;
  /** Turns whatever a handler threw into the one error that the client sees. The only place where that happens. */
  toRpcError: (error: unknown, method: string) => RpcError;
  /** Called once a call has ended, for metrics. */
  onCall?: (method: string, code: string, seconds: number) => void;
}

type Untyped = (request: unknown, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>;

/** A grpc-js server with health and reflection, over handlers that are plain functions. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Server;
  readonly #services: string[] = [];
  readonly #health: Health;
  #inFlight = 0;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#server = new Server({ 'grpc.max_receive_message_length': options.maxRequestBytes });
    this.#health = createHealth();
    this.add(HealthDefinition, this.#health.handlers);
    addReflection(this.#server, () => this.#services);
  }

  add<D extends ServiceDefinition>(service: D, handlers: Handlers<D>): void {
    this.#services.push(service.fullName);
    for (const [key, method] of Object.entries(service.methods)) {
      const path = methodPath(service, method);
      const handler = (handlers as Record<string, Untyped>)[key];
      if (handler === undefined) throw new Error(`${path} has no handler`);
      const bytes = { path, requestStream: false, responseStream: method.responseStream, ...RAW };
      if (method.responseStream) {
        this.#server.addService({ [key]: bytes }, { [key]: this.#streamHandler(path, method, handler) });
      } else {
        this.#server.addService({ [key]: bytes }, { [key]: this.#unaryHandler(path, method, handler) });
      }
    }
  }

  /** Starts to listen. Health says NOT_SERVING until `setServing(true)`. @returns the port */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
  }

  setServing(serving: boolean): void {
    this.#health.set(serving);
  }

  /** Takes no new calls, waits for those in flight up to `timeoutMs`, then cuts them. */
  async stop(timeoutMs: number): Promise<void> {
    this.#health.close();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#server.forceShutdown(), timeoutMs);
      this.#server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #unaryHandler(path: string, method: MethodDefinition, handler: Untyped): handleUnaryCall<Buffer, Buffer> {
    return (call, callback) => {
      const started = performance.now();
      const finish = (code: Status) => this.#options.onCall?.(path, Status[code], (performance.now() - started) / 1000);
      if (this.#inFlight >= this.#options.maxInFlight) {
        finish(Status.RESOURCE_EXHAUSTED);
        callback(toStatusObject(overloaded(this.#options.maxInFlight)));
        return;
      }
      this.#inFlight += 1;
      this.#callUnary(path, method, handler, call).then(
        (response) => {
          this.#inFlight -= 1;
          finish(Status.OK);
          callback(null, response);
        },
        (error: unknown) => {
          this.#inFlight -= 1;
          const rpcError = this.#options.toRpcError(error, path);
          finish(rpcError.code);
          callback(toStatusObject(rpcError));
        },
      );
    };
  }

  async #callUnary(path: string, method: MethodDefinition, handler: Untyped, call: ServerUnaryCall<Buffer, Buffer>) {
    const response = await (handler(decodeRequest(method, call.request), contextOf(path, call)) as Promise<unknown>);
    return encodeResponse(method, response);
  }

  #streamHandler(path: string, method: MethodDefinition, handler: Untyped): handleServerStreamingCall<Buffer, Buffer> {
    return (call) => {
      const started = performance.now();
      const finish = (code: Status) => this.#options.onCall?.(path, Status[code], (performance.now() - started) / 1000);
      this.#callStream(path, method, handler, call).then(
        () => {
          finish(Status.OK);
          call.end();
        },
        (error: unknown) => {
          const rpcError = this.#options.toRpcError(error, path);
          finish(rpcError.code);
          call.emit('error', toStatusObject(rpcError));
        },
      );
    };
  }

  async #callStream(path: string, method: MethodDefinition, handler: Untyped, call: ServerWritableStream<Buffer, Buffer>) {
    const context = contextOf(path, call);
    const responses = handler(decodeRequest(method, call.request), context) as AsyncIterable<unknown>;
    for await (const response of responses) {
      if (context.signal.aborted) return;
      const hasRoom = call.write(encodeResponse(method, response));
      if (!hasRoom) await drained(call, context.signal);
    }
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
    return method.requestType.decode(bytes);
  } catch (error) {
    throw new RpcError(
      Status.INVALID_ARGUMENT,
      'the request is not a valid protobuf message of this method',
      {},
      { cause: error },
    );
  }
}

type AnyCall = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

function contextOf(path: string, call: AnyCall): CallContext {
  let abort: AbortController | undefined;
  const deadline = call.getDeadline();
  return {
    method: path,
    header: (name) => firstText(call.metadata, name),
    // Made when it is asked for: grpc-js says "cancelled" at the end of every call, and an error for each costs 20 microseconds.
    get signal() {
      if (abort === undefined) {
        const made = new AbortController();
        const cancel = () => made.abort(new RpcError(Status.CANCELLED, 'the client went away or its deadline passed'));
        abort = made;
        if (call.cancelled) cancel();
        else call.once('cancelled', cancel);
      }
      return abort.signal;
    },
    deadline: deadline instanceof Date ? deadline : Number.isFinite(deadline) ? new Date(deadline) : undefined,
    peer: call.getPeer(),
    rawRequest: call.request,
  };
}

function firstText(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(name)[0];
  return typeof value === 'string' ? value : undefined;
}

function overloaded(limit: number): RpcError {
  return new RpcError(Status.RESOURCE_EXHAUSTED, `the server has ${limit} calls in flight, its limit: try again shortly`, {
    info: { reason: 'OVERLOADED' },
    retryAfterMs: 100,
  });
}

function drained(call: ServerWritableStream<Buffer, Buffer>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}
