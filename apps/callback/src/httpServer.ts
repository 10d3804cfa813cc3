import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Connections, peerOf, type Refused } from '@stockbroker/rpc';
import { BodyReader, type Unread } from './readBody.ts';

/** An answer to a callback. */
export interface HttpAnswer {
  status: number;
  body: object;
  retryAfterSeconds?: number;
}

export interface HttpServerOptions {
  host: string;
  port: number;
  path: string;
  maxBytes: number;
  maxInFlight: number;
  maxConnections: number;
  /** How long a request may take from its connection, or the end of the one before, to its last byte. */
  requestTimeoutMs: number;
  /** A connection without requests for this long is closed. */
  idleTimeoutMs: number;
  handle: (headers: (name: string) => string | undefined, body: Buffer) => Promise<HttpAnswer>;
  onAnswer: (status: number) => void;
  onRefused: (why: Refused) => void;
}

export interface HttpServer {
  port: number;
  /** What clients hold of it now: for metrics. */
  load(): { connections: number; calls: number; arriving: number };
  close(): Promise<void>;
}

/** How often slow connections are looked for. */
const LOOK_MS = 500;
const MAX_HEADER_BYTES = 8_192;
/** After an answer that refuses a body, what still comes of it is thrown away for so long: an end at once could overtake the answer. */
const LINGER_MS = 1_000;

const UNREAD: Record<Unread, (maxBytes: number) => HttpAnswer> = {
  'too large': (maxBytes) => ({ status: 413, body: { error: `a callback has at most ${maxBytes} bytes` } }),
  'too slow': () => ({ status: 408, body: { error: 'the body came too slowly' } }),
};

/** Takes POSTs on one path, with every bound that a public endpoint needs. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const bodies = new BodyReader(options.maxBytes, options.maxInFlight);
  let inFlight = 0;
  let closing = false;
  const answer = async (request: IncomingMessage): Promise<HttpAnswer> => {
    if (request.url !== options.path || request.method !== 'POST') {
      return { status: 404, body: { error: `POST callbacks to ${options.path}` } };
    }
    const body = await bodies.read(request);
    if (typeof body === 'string') {
      if (body === 'too slow') options.onRefused('slow request');
      return UNREAD[body](options.maxBytes);
    }
    // Counted from here, not from the headers on: a body that drips must not take the place of one that is there.
    if (inFlight >= options.maxInFlight) return { status: 503, body: { error: 'busy' }, retryAfterSeconds: 1 };
    inFlight += 1;
    try {
      return await options.handle((name) => firstValue(request.headers[name]), body);
    } finally {
      inFlight -= 1;
    }
  };
  const server = createServer(
    {
      requestTimeout: options.requestTimeoutMs,
      headersTimeout: Math.min(5_000, options.requestTimeoutMs),
      keepAliveTimeout: options.idleTimeoutMs,
      connectionsCheckingInterval: LOOK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (request, response) => {
      answer(request).then(
        (result) => {
          options.onAnswer(result.status);
          if (result.status < 300) connections.trust(peerOf(request.socket));
          send(request, response, result, closing);
        },
        () => response.destroy(), // The request broke off: nobody is left to answer.
      );
    },
  );
  const connections = new Connections(server, {
    maxConnections: options.maxConnections,
    handshakeTimeoutMs: options.requestTimeoutMs,
    onRefused: options.onRefused,
  });
  return {
    port: await connections.listen(options.host, options.port),
    load: () => ({ connections: connections.count, calls: inFlight, arriving: bodies.count }),
    close: () => {
      closing = true;
      const closed = connections.close();
      server.closeIdleConnections();
      return closed;
    },
  };
}

function firstValue(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function send(request: IncomingMessage, response: ServerResponse, answer: HttpAnswer, closing: boolean): void {
  const text = JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(answer.retryAfterSeconds === undefined ? {} : { 'retry-after': String(answer.retryAfterSeconds) }),
    // What is left of a refused body is not read as a request: the connection ends with the answer.
    ...(request.complete && !closing ? {} : { connection: 'close' }),
  });
  if (request.complete) {
    response.end(text);
    return;
  }
  response.write(text);
  const timer = setTimeout(() => response.end(), LINGER_MS);
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  request.once('end', end).once('close', end).resume();
}
