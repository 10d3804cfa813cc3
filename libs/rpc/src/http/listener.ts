import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Connections, peerOf, type Refused } from '../connections.ts';
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

/** An HTTP/1.1 server with every bound that a public endpoint needs. */
export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #bodies: BodyReader;
  #closing = false;

  constructor(options: HttpListenerOptions) {
    const { requestTimeoutMs, maxConnections, onRefused } = options;
    this.#options = options;
    this.#bodies = new BodyReader(options.maxBytes, options.maxArriving);
    this.#server = createServer(
      {
        requestTimeout: requestTimeoutMs,
        headersTimeout: Math.min(5_000, requestTimeoutMs),
        keepAliveTimeout: options.idleTimeoutMs,
        connectionsCheckingInterval: LOOK_MS,
        maxHeaderSize: options.maxHeaderBytes,
      },
      (request, response) => void options.handle(request, response).catch(() => response.destroy()),
    );
    this.#connections = new Connections(this.#server, { maxConnections, handshakeTimeoutMs: requestTimeoutMs, onRefused });
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
    const body = await this.#bodies.read(request);
    if (body === 'too slow') this.#options.onRefused('slow request');
    return body;
  }

  /** A request of this connection has succeeded: it is not a stranger's. */
  trust(request: IncomingMessage): void {
    this.#connections.trust(peerOf(request.socket));
  }

  send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: HttpAnswer): void {
    response.writeHead(status, {
      ...headers,
      'content-length': Buffer.byteLength(body),
      // What is left of a refused body is not read as a request: the connection ends with the answer.
      ...(request.complete && !this.#closing ? {} : { connection: 'close' }),
    });
    if (request.complete) {
      response.end(body);
      return;
    }
    response.write(body);
    const timer = setTimeout(() => response.end(), LINGER_MS);
    const end = () => {
      clearTimeout(timer);
      response.end();
    };
    request.once('end', end).once('close', end).resume();
  }

  /** Takes no more; resolves when the requests in flight are answered. */
  close(): Promise<void> {
    this.#closing = true;
    const closed = this.#connections.close();
    this.#server.closeIdleConnections();
    return closed;
  }

  /** Ends all at once. */
  destroy(): void {
    this.#connections.destroy();
  }
}

/** First value: Node has joined or dropped the others. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
