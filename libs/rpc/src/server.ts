import { createServer, type Socket } from 'node:net';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  logVerbosity,
  Server,
  ServerCredentials,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { Arrivals } from './arrivals.ts';
import { contextOf, written } from './callContext.ts';
import { Calls, type CallsOptions, type Handlers, overloaded, type Served, type ServiceOptions } from './calls.ts';
import { Connections, type Refused } from './connections.ts';
import { HealthDefinition } from './generated/grpc/health/v1/health.ts';
import { giveUpLate } from './grpcStream.ts';
import { createHealth, type Health } from './health.ts';
import { DEFAULT_LIMITS, type ServerLimits, toServerOptions } from './limits.ts';
import { addReflection } from './reflection.ts';
import { type RpcError, toStatusObject } from './rpcError.ts';
import type { ServiceDefinition } from './service.ts';
import { checkStreamHeaders } from './streamHeaders.ts';
import { createTlsServer } from './tls/secureServer.ts';
import type { TlsSource } from './tls/tlsSource.ts';

export interface GrpcServerOptions extends Omit<CallsOptions, 'maxStreams' | 'stallTimeoutMs'> {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Largest request, bytes. */
  maxRequestBytes: number;
  /** Proxies of ours before this server, each of which adds to X-Forwarded-For; by default none, and the header is not read. */
  trustedHops?: number;
  /** Each connection begins with a header of the PROXY protocol, version 2; by default none does. */
  proxyHeader?: boolean | undefined;
  /** Over the defaults. */
  limits?: Partial<ServerLimits>;
  /** What to show to clients, who then must speak TLS; with authorities, they must show a certificate of theirs. Undefined: no TLS. */
  tls?: TlsSource | undefined;
  /** Called for each connection or request that was ended for breaking a limit, for metrics; `detail` says why TLS or the PROXY header failed. */
  onRefused?: (why: Refused, detail?: string) => void;
}

/** Clients send the beginnings of many calls before the first end: a burst of as many is no attack. */
const LEAST_ARRIVING = 256;

/** A grpc-js server with health and reflection, over handlers that are plain functions. */
export class GrpcServer {
  /** For other ways to the same methods. */
  readonly calls: Calls;
  readonly #options: GrpcServerOptions;
  readonly #server: Server;
  readonly #services: string[] = [];
  readonly #health: Health;
  readonly #connections: Connections;
  readonly #arrivals: Arrivals;
  readonly #trustedHops: number;
  readonly #stallTimeoutMs: number;

  constructor(options: GrpcServerOptions) {
    // It would write headers that it cannot read to standard error as they are, tokens among them.
    setLogVerbosity(logVerbosity.NONE);
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { maxInFlight, onRefused } = options;
    this.#options = options;
    this.#trustedHops = options.trustedHops ?? 0;
    this.#stallTimeoutMs = limits.stallTimeoutMs;
    this.calls = new Calls({ ...options, maxStreams: limits.maxStreams, stallTimeoutMs: limits.stallTimeoutMs });
    this.#arrivals = new Arrivals({
      timeoutMs: limits.requestTimeoutMs,
      most: Math.max(maxInFlight, LEAST_ARRIVING),
      overloaded: (arriving) => toStatusObject(overloaded(`${arriving} calls in flight`)),
      onRefused: () => onRefused?.('slow request'),
    });
    this.#server = new Server({
      ...toServerOptions(limits, options.maxRequestBytes),
      interceptors: [this.#arrivals.interceptor],
    });
    // A listener of our own, because grpc-js gives no hold of its connections.
    const { tls } = options;
    const listener = tls === undefined ? createServer({ noDelay: true }) : createTlsServer(tls, ['h2']);
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    checkStreamHeaders(this.#server);
    listener.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      if (!socket.destroyed) injector.injectConnection(socket);
    });
    this.#connections = new Connections(listener, {
      maxConnections: limits.maxConnections,
      handshakeTimeoutMs: limits.requestTimeoutMs,
      proxyHeader: options.proxyHeader,
      ...(onRefused === undefined ? {} : { onRefused }),
    });
    this.#health = createHealth();
    this.add(HealthDefinition, this.#health.handlers);
    addReflection(this.#server, () => this.#services);
  }

  /** What clients hold of it now: for metrics. */
  get load(): { connections: number; calls: number; streams: number; arriving: number } {
    return {
      connections: this.#connections.count,
      calls: this.calls.inFlight,
      streams: this.calls.streams,
      arriving: this.#arrivals.count,
    };
  }

  add<D extends ServiceDefinition>(service: D, handlers: Handlers<D>, options?: ServiceOptions): void {
    this.#services.push(service.fullName);
    for (const served of this.calls.add(service, handlers, options)) {
      const { responseStream } = served.method;
      const bytes = { path: served.path, requestStream: false, responseStream, ...RAW };
      const handle = responseStream ? this.#streamHandler(served) : this.#unaryHandler(served);
      this.#server.addService({ [served.path]: bytes }, { [served.path]: handle });
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
      const answered = this.calls.unary(served, contextOf(served.path, call, this.#trustedHops)).then(
        (response) => {
          this.#answered(served, call.getPeer());
          callback(null, response);
        },
        (error: RpcError) => callback(toStatusObject(error)),
      );
      void answered.then(() => giveUpLate(call, this.#stallTimeoutMs));
    };
  }

  #streamHandler(served: Served): handleServerStreamingCall<Buffer, Buffer> {
    return (call) => {
      const context = contextOf(served.path, call, this.#trustedHops);
      const write = (response: Buffer, signal: AbortSignal) => {
        this.#answered(served, context.peer);
        return written(call, response, signal);
      };
      const told = this.calls.stream(served, context, write).then(
        () => call.end(),
        (error: RpcError) => call.emit('error', toStatusObject(error)),
      );
      void told.then(() => giveUpLate(call, this.#stallTimeoutMs));
    };
  }

  /** Anyone may ask for the health: that makes nobody a client to be preferred. */
  #answered({ service }: Served, peer: string): void {
    if (service !== HealthDefinition.fullName) this.#connections.trust(peer);
  }
}

/** Messages pass grpc-js as bytes, so that a malformed one is the client's typed error, and signatures see what was sent. */
const RAW = {
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
};
