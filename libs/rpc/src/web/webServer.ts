import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Calls, Served } from '../calls.ts';
import type { Refused } from '../connections.ts';
import { type HttpAnswer, HttpListener } from '../http/listener.ts';
import { DEFAULT_LIMITS, type ServerLimits } from '../limits.ts';
import { RpcError, Status } from '../rpcError.ts';
import type { TlsSource } from '../tls/tlsSource.ts';
import { withContentEncoding } from './compress.ts';
import { grpcWeb } from './grpcWeb.ts';
import { json } from './json.ts';
import { type Protocol, tooLarge } from './protocol.ts';
import { WebCall } from './webCall.ts';

export interface WebServerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Whose methods are served: with all their bounds, errors and metrics. */
  calls: Calls;
  /** Largest message of a request, bytes. */
  maxRequestBytes: number;
  /** Requests that are arriving at once. */
  maxArriving: number;
  /** Proxies of ours before this server, each of which adds to X-Forwarded-For; by default none, and the header is not read. */
  trustedHops?: number;
  /** Each connection begins with a header of the PROXY protocol, version 2; by default none does. */
  proxyHeader?: boolean | undefined;
  /** Over the defaults. */
  limits?: Partial<ServerLimits>;
  /** What to show to clients, who then must speak TLS, and may speak HTTP/2. Undefined: plain HTTP/1.1. */
  tls?: TlsSource | undefined;
  /** Origins whose pages may call, e.g. "https://app.example.com": browsers ask. */
  allowedOrigins: readonly string[];
  /** Answers what is no call: GET and HEAD. Undefined: there is nothing of that name. */
  page?: (request: IncomingMessage) => HttpAnswer | undefined;
  onRefused?: (why: Refused) => void;
}

/** Tokens alone may have 8 kB. */
const MAX_HEADER_BYTES = 16_384;
/** What frames and base64 add to a message. */
const framed = (bytes: number) => Math.ceil(((bytes + 5) * 4) / 3) + 4;
/** Browsers ask again after this. */
const PREFLIGHT_SECONDS = 7_200;
const EXPOSED = 'grpc-encoding, grpc-status, grpc-message, grpc-status-details-bin, retry-after';

/** The methods of a gRPC server for browsers and for curl: gRPC-Web (binary and text) and JSON, over HTTP/1.1, and over TLS also HTTP/2. */
export class WebServer {
  readonly #options: WebServerOptions;
  readonly #listener: HttpListener;
  readonly #protocols: Map<string, Protocol>;
  readonly #requestHeaders: string;

  constructor(options: WebServerOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { maxRequestBytes } = options;
    this.#options = options;
    const asJson = json(maxRequestBytes);
    this.#protocols = new Map([
      ['application/json', asJson],
      ['application/x-www-form-urlencoded', asJson], // What curl -d says unless it is told otherwise.
    ]);
    for (const type of ['application/grpc-web', 'application/grpc-web+proto'])
      this.#protocols.set(type, grpcWeb(type, false, maxRequestBytes));
    for (const type of ['application/grpc-web-text', 'application/grpc-web-text+proto'])
      this.#protocols.set(type, grpcWeb(type, true, maxRequestBytes));
    const named = [...this.#protocols.values()].flatMap(({ requestHeaders }) => requestHeaders);
    this.#requestHeaders = ['authorization', 'content-type', ...new Set(named)].join(', ');
    this.#listener = new HttpListener({
      host: options.host,
      port: options.port,
      maxBytes: framed(maxRequestBytes),
      maxHeaderBytes: MAX_HEADER_BYTES,
      maxArriving: options.maxArriving,
      maxConnections: limits.maxConnections,
      requestTimeoutMs: limits.requestTimeoutMs,
      idleTimeoutMs: limits.idleTimeoutMs,
      stallTimeoutMs: limits.stallTimeoutMs,
      proxyHeader: options.proxyHeader,
      tls: options.tls && { ...limits, source: options.tls },
      handle: (request, response) => this.#handle(request, response),
      onRefused: options.onRefused ?? (() => {}),
    });
  }

  get connections(): number {
    return this.#listener.connections;
  }

  /** Requests whose body has not come to its end. */
  get arriving(): number {
    return this.#listener.arriving;
  }

  /** @returns the port */
  listen(): Promise<number> {
    return this.#listener.listen();
  }

  /** Takes no new calls, waits for those in flight up to `timeoutMs`, then cuts them. */
  async stop(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#listener.destroy(), timeoutMs);
    await this.#listener.close();
    clearTimeout(timer);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(this.#cors(request))) response.setHeader(name, value);
    const send = (answer: HttpAnswer) => this.#listener.send(request, response, answer);
    if (request.method === 'OPTIONS') return send(this.#preflight(response));
    const { page } = this.#options;
    if (page !== undefined && (request.method === 'GET' || request.method === 'HEAD'))
      return send(page(request) ?? text(404, 'There is nothing here.'));
    if (request.method !== 'POST')
      return send(text(405, 'Calls are made by POST to /package.Service/Method.', { allow: 'POST, OPTIONS' }));
    const contentType = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
    const protocol = this.#protocols.get(contentType);
    if (protocol === undefined)
      return send(text(415, `The content type must be one of ${[...this.#protocols.keys()].join(', ')}.`));
    try {
      const { served, call } = await this.#begin(request, response, protocol);
      if (served.method.responseStream) return await this.#stream(request, response, { served, call, protocol });
      const message = await Promise.race([this.#options.calls.unary(served, call), call.over]);
      this.#listener.trust(request);
      send(await withContentEncoding(request.headers, await protocol.answer(served, message, request.headers)));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      send(protocol.refuse(error));
    }
  }

  /** Reads the whole request. @throws RpcError */
  async #begin(
    request: IncomingMessage,
    response: ServerResponse,
    protocol: Protocol,
  ): Promise<{ served: Served; call: WebCall }> {
    const { calls, maxRequestBytes } = this.#options;
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const served = calls.find(path);
    if (served === undefined) throw new RpcError(Status.UNIMPLEMENTED, `there is no method ${path}`);
    const timeoutMs = protocol.timeoutMs(request.headers);
    const body = await this.#listener.readBody(request);
    if (body === 'too large') throw tooLarge(maxRequestBytes);
    if (body === 'too slow') throw new RpcError(Status.DEADLINE_EXCEEDED, 'the request arrived too slowly');
    const message = await protocol.read(served, body, request.headers);
    const trustedHops = this.#options.trustedHops ?? 0;
    const called = { path, message, trustedHops, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    return { served, call: new WebCall(request, response, called) };
  }

  async #stream(
    request: IncomingMessage,
    response: ServerResponse,
    { served, call, protocol }: { served: Served; call: WebCall; protocol: Protocol },
  ): Promise<void> {
    const stream = protocol.stream?.(request.headers);
    if (stream === undefined)
      throw new RpcError(Status.UNIMPLEMENTED, `${served.path} answers with a stream: call it by gRPC or gRPC-Web`);
    response.writeHead(200, stream.headers);
    response.flushHeaders();
    const write = async (message: Buffer, signal: AbortSignal) => {
      this.#listener.trust(request);
      await call.write(await stream.message(message), signal);
    };
    const failed = await Promise.race([this.#options.calls.stream(served, call, write), call.over]).then(
      () => undefined,
      (error: RpcError) => error,
    );
    this.#listener.end(request, response, stream.end(failed));
  }

  #cors({ headers }: IncomingMessage): Record<string, string> {
    const { origin } = headers;
    const isAllowed = origin !== undefined && this.#options.allowedOrigins.includes(origin);
    return {
      vary: 'origin',
      ...(isAllowed ? { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED } : {}),
    };
  }

  #preflight(response: ServerResponse): HttpAnswer {
    if (!response.hasHeader('access-control-allow-origin')) return text(403, 'Pages of this origin may not call.');
    const headers = {
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': this.#requestHeaders,
      'access-control-max-age': String(PREFLIGHT_SECONDS),
    };
    return { status: 204, headers, body: '' };
  }
}

function text(status: number, body: string, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: `${body}\n` };
}
