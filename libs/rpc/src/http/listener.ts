import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { constants } from 'node:http2';
import { createServer as createSecureServer, type ServerOptions as HttpsOptions, type Server as HttpsServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { Connections, peerOf, type Refused } from '../connections.ts';
import { keepCurrent, serverOptions } from '../tls/secureServer.ts';
import type { TlsSource } from '../tls/tlsSource.ts';
import { endUnread, Http2, isHttp2 } from './http2.ts';
import { BodyReader, type Unread } from './readBody.ts';

export interface HttpListenerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Largest body of a request. */
  maxBytes: number;
  /** All headers of a request together. */
  maxHeaderBytes: number;
  /** Bodies that are arriving at once. */
  maxArriving: number;
  maxConnections: number;
  /** How long a request may take from its connection, or the end of the one before, to its last byte. */
  requestTimeoutMs: number;
  /** A connection without requests for this long is closed. */
  idleTimeoutMs: number;
  /** What is left of an answer at its end has to be taken within this; then its connection, over HTTP/2 its stream, is given up. */
  stallTimeoutMs: number;
  /** Each connection begins with a header of the PROXY protocol, version 2; by default none does. */
  proxyHeader?: boolean | undefined;
  /** What to show to clients, who then must speak TLS, and may speak HTTP/2. */
  tls?: { source: TlsSource; maxCallsPerConnection: number; pingAfterMs: number; pingTimeoutMs: number } | undefined;
  /** Answers with `send`, or by itself. When it rejects the request broke off: nobody is left to answer. */
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  onRefused: (why: Refused) => void;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer;
}

/** How often slow connections are looked for. */
const LOOK_MS = 500;
/** After an answer that refuses a body, what still comes of it is thrown away for so long: an end at once could overtake the answer. */
const LINGER_MS = 1_000;

/** A server of HTTP/1.1, and over TLS of HTTP/2 as well, with every bound that a public endpoint needs. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #server: Server | HttpsServer;
  readonly #connections: Connections;
  readonly #bodies: BodyReader;
  readonly #http2: Http2 | undefined;
  #closing = false;

  constructor(options: HttpListenerOptions) {
    const { requestTimeoutMs, maxConnections, proxyHeader, onRefused } = options;
    this.#options = options;
    this.#bodies = new BodyReader(options.maxBytes, options.maxArriving);
    const http1 = {
      requestTimeout: requestTimeoutMs,
      headersTimeout: Math.min(5_000, requestTimeoutMs),
      keepAliveTimeout: options.idleTimeoutMs,
      connectionsCheckingInterval: LOOK_MS,
      maxHeaderSize: options.maxHeaderBytes,
    };
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      void options.handle(request, response).catch(() => response.destroy());
    if (options.tls === undefined) this.#server = createServer(http1, onRequest);
    else {
      const { source, maxCallsPerConnection: maxStreams, pingAfterMs, pingTimeoutMs } = options.tls;
      this.#http2 = new Http2({
        maxStreams,
        idleTimeoutMs: options.idleTimeoutMs,
        pingAfterMs,
        pingTimeoutMs,
        onRequest: (request, response) => {
          if (headerBytes(request) > options.maxHeaderBytes) this.send(request, response, HEADERS_TOO_LARGE);
          else onRequest(request, response);
        },
      });
      this.#server = createBothServer(http1, source, onRequest, this.#http2);
    }
    this.#connections = new Connections(this.#server, {
      maxConnections,
      handshakeTimeoutMs: requestTimeoutMs,
      proxyHeader,
      onRefused,
    });
  }

  get connections(): number {
    return this.#connections.count;
  }

  /** Requests whose body has not come to its end. */
  get arriving(): number {
    return this.#bodies.count;
  }

  /** @returns the port */
  listen(): Promise<number> {
    return this.#connections.listen(this.#options.host, this.#options.port);
  }

  /** Rejects when the request breaks off. */
  async readBody(request: IncomingMessage): Promise<Buffer | Unread> {
    // Over HTTP/1.1 Node itself ends what is slow.
    const body = await this.#bodies.read(request, isHttp2(request) ? this.#options.requestTimeoutMs : undefined);
    if (body === 'too slow') this.#options.onRefused('slow request');
    return body;
  }

  /** A request of this connection has succeeded: it is not a stranger's. */
  trust(request: IncomingMessage): void {
    this.#connections.trust(peerOf(request.socket));
  }

  send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: HttpAnswer): void {
    const hasLength = status !== 204 && status !== 304;
    const isLast = !isHttp2(request) && (!request.complete || this.#closing);
    response.writeHead(status, {
      ...headers,
      ...(hasLength ? { 'content-length': Buffer.byteLength(body) } : {}),
      // What is left of a refused body is not read as a request: the connection ends with the answer.
      ...(isLast ? { connection: 'close' } : {}),
    });
    this.end(request, response, request.method !== 'HEAD' && hasLength ? body : '');
  }

  /** Ends an answer, with the last of it. The client is not waited for without end: nothing counts a call that is over. */
  end(request: IncomingMessage, response: ServerResponse, last: string | Buffer): void {
    const giveUp = setTimeout(() => {
      if (isHttp2(request)) request.stream.close(constants.NGHTTP2_CANCEL);
      else request.socket.destroy();
    }, this.#options.stallTimeoutMs).unref();
    response.once('close', () => clearTimeout(giveUp));
    if (isHttp2(request)) endUnread(request);
    if (!isHttp2(request) && !request.complete) endAfter(request, response, last);
    else if (last.length === 0) response.end();
    else response.end(last);
  }

  /** Takes no more; resolves when the requests in flight are answered. */
  close(): Promise<void> {
    this.#closing = true;
    const closed = this.#connections.close();
    this.#server.closeIdleConnections();
    this.#http2?.close();
    return closed;
  }

  /** Ends all at once. */
  destroy(): void {
    this.#connections.destroy();
  }
}

const HEADERS_TOO_LARGE = { status: 431, headers: {}, body: '' };

function headerBytes({ rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((sum, text) => sum + text.length, 0);
}

/** Throws away what still comes of a body, for a while, before it ends the answer and with it the connection. */
function endAfter(request: IncomingMessage, response: ServerResponse, last: string | Buffer): void {
  response.write(last);
  const timer = setTimeout(() => response.end(), LINGER_MS);
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  request.once('end', end).once('close', end).resume();
}

/**
 * By what the client and the server agree to in the handshake. Node's own server of both has none of the bounds of HTTP/1.1: its
 * HTTPS server has them, and here hands over the connections of HTTP/2.
 */
function createBothServer(
  http1: HttpsOptions,
  source: TlsSource,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  http2: Http2,
): HttpsServer {
  const server = createSecureServer({ ...http1, ...serverOptions(source, ['h2', 'http/1.1']) }, onRequest);
  const [serveHttp1] = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection').on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') http2.serve(socket);
    else serveHttp1?.call(server, socket);
  });
  keepCurrent(server, source);
  return server;
}

/** First value: Node has joined or dropped the others. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
