import { Client, credentials, Metadata, type ServiceError, status as Status } from '@grpc/grpc-js';
import { fromServiceError, RpcError } from './rpcError.ts';
import { type MethodDefinition, methodPath, type PartialRequestOf, type ResponseOf, type ServiceDefinition } from './service.ts';
import { MOST_TIMEOUT_MS } from './timeout.ts';
import type { TlsIdentity } from './tls/tlsFiles.ts';

export interface CallOptions {
  /** How long to wait, milliseconds; past it the call fails with DEADLINE_EXCEEDED. Streams have none unless given. */
  timeoutMs?: number;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

type ClientMethod<M extends MethodDefinition> = M['responseStream'] extends true
  ? (request: PartialRequestOf<M>, options?: CallOptions) => AsyncIterable<ResponseOf<M>>
  : (request: PartialRequestOf<M>, options?: CallOptions) => Promise<ResponseOf<M>>;

/** Typed calls of one service. They fail with RpcError. */
export type RpcClient<D extends ServiceDefinition> = { [K in keyof D['methods']]: ClientMethod<D['methods'][K]> };

const DEFAULT_TIMEOUT_MS = 10_000;

/** One connection to a server, shared by the clients of its services. */
export class RpcChannel {
  readonly #address: string;
  readonly #headers: Record<string, string>;
  #client: Client;

  /**
   * @param address host:port; the connection is made at the first call and again whenever it is lost
   * @param tls undefined: no TLS. The server's certificate must be of an authority in it, without any one that Node knows, and be
   *   of the address's host, or of `serverName`; the own certificate is for servers that ask for one
   */
  constructor(address: string, headers: Record<string, string> = {}, tls?: TlsIdentity) {
    this.#address = address;
    this.#headers = headers;
    this.#client = connect(address, tls);
  }

  /** Calls from now on go over a new connection with this; open streams end on the old one. */
  renew(tls: TlsIdentity): void {
    const old = this.#client;
    this.#client = connect(this.#address, tls);
    old.close();
  }

  /** @param timeoutMs of the calls that do not say how long they wait; streams wait for ever */
  client<D extends ServiceDefinition>(service: D, timeoutMs = DEFAULT_TIMEOUT_MS): RpcClient<D> {
    const calls = Object.entries(service.methods).map(([key, method]) => [
      key,
      method.responseStream
        ? (request: object, options: CallOptions = {}) => this.#stream(service, method, request, options)
        : (request: object, options: CallOptions = {}) => this.#unary(service, method, request, { timeoutMs, ...options }),
    ]);
    return Object.fromEntries(calls) as RpcClient<D>;
  }

  close(): void {
    this.#client.close();
  }

  #unary(
    service: ServiceDefinition,
    method: MethodDefinition,
    request: object,
    options: CallOptions & { timeoutMs: number },
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted === true) return reject(cancelled());
      const cancel = () => call.cancel();
      const call = this.#client.makeUnaryRequest(
        methodPath(service, method),
        serializer(method),
        deserializer(method),
        method.requestType.fromPartial(request),
        this.#metadata(options),
        { deadline: deadlineIn(options.timeoutMs) },
        (error: ServiceError | null, response?: unknown) => {
          options.signal?.removeEventListener('abort', cancel);
          if (error === null) resolve(response);
          else reject(fromServiceError(error));
        },
      );
      options.signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  async *#stream(
    service: ServiceDefinition,
    method: MethodDefinition,
    request: object,
    options: CallOptions,
  ): AsyncIterable<unknown> {
    if (options.signal?.aborted === true) throw cancelled();
    const call = this.#client.makeServerStreamRequest(
      methodPath(service, method),
      serializer(method),
      deserializer(method),
      method.requestType.fromPartial(request),
      this.#metadata(options),
      options.timeoutMs === undefined ? {} : { deadline: deadlineIn(options.timeoutMs) },
    );
    const cancel = () => call.cancel();
    options.signal?.addEventListener('abort', cancel, { once: true });
    try {
      yield* call;
    } catch (error) {
      throw fromServiceError(error as ServiceError);
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      call.cancel();
    }
  }

  #metadata(options: CallOptions): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries({ ...this.#headers, ...options.headers })) metadata.set(name, value);
    return metadata;
  }
}

/** No server of ours waits any longer, and grpc-js cannot write what is very far away. */
function deadlineIn(timeoutMs: number): number {
  return Date.now() + Math.min(timeoutMs, MOST_TIMEOUT_MS);
}

function connect(address: string, tls: TlsIdentity | undefined): Client {
  const { ca = null, key = null, cert = null, serverName } = tls ?? {};
  return new Client(address, tls === undefined ? credentials.createInsecure() : credentials.createSsl(ca, key, cert), {
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
    // A proxy for the web (http_proxy) is not for our servers: what connects, and where to, is said by the configuration alone.
    'grpc.enable_http_proxy': 0,
    ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
  });
}

function serializer(method: MethodDefinition): (message: unknown) => Buffer {
  return (message) => Buffer.from(method.requestType.encode(message).finish());
}

function deserializer(method: MethodDefinition): (bytes: Buffer) => unknown {
  return (bytes) => method.responseType.decode(bytes);
}

function cancelled(): RpcError {
  return new RpcError(Status.CANCELLED, 'cancelled by the caller');
}
