import type { IncomingMessage } from 'node:http';
import { HttpListener, type HttpListenerOptions, headerOf, type Unread } from '@stockbroker/rpc';

/** Statuses of answers. */
export const HTTP_ANSWERS = ['200', '401', '404', '408', '413', '503'] as const;
type HttpStatus = 200 | 401 | 404 | 408 | 413 | 503;

/** An answer to a callback. */
export interface HttpAnswer {
  status: HttpStatus;
  body: object;
  retryAfterSeconds?: number;
}

export interface HttpServerOptions extends Omit<HttpListenerOptions, 'handle' | 'maxArriving' | 'maxHeaderBytes'> {
  path: string;
  maxInFlight: number;
  handle: (headers: (name: string) => string | undefined, body: Buffer) => Promise<HttpAnswer>;
  onAnswer: (status: HttpStatus) => void;
}

export interface HttpServer {
  port: number;
  /** What clients hold of it now: for metrics. */
  load(): { connections: number; calls: number; arriving: number };
  close(): Promise<void>;
}

const MAX_HEADER_BYTES = 8_192;

const UNREAD: Record<Unread, (maxBytes: number) => HttpAnswer> = {
  'too large': (maxBytes) => ({ status: 413, body: { error: `a callback has at most ${maxBytes} bytes` } }),
  'too slow': () => ({ status: 408, body: { error: 'the body came too slowly' } }),
};

/** Takes POSTs on one path. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  let inFlight = 0;
  const answer = async (request: IncomingMessage): Promise<HttpAnswer> => {
    if (request.url !== options.path || request.method !== 'POST') {
      return { status: 404, body: { error: `POST callbacks to ${options.path}` } };
    }
    const body = await listener.readBody(request);
    if (typeof body === 'string') return UNREAD[body](options.maxBytes);
    // Counted from here, not from the headers on: a body that drips must not take the place of one that is there.
    if (inFlight >= options.maxInFlight) return { status: 503, body: { error: 'busy' }, retryAfterSeconds: 1 };
    inFlight += 1;
    try {
      return await options.handle((name) => headerOf(request.headers, name), body);
    } finally {
      inFlight -= 1;
    }
  };
  const listener = new HttpListener({
    ...options,
    maxArriving: options.maxInFlight,
    maxHeaderBytes: MAX_HEADER_BYTES,
    handle: async (request, response) => {
      const { status, body, retryAfterSeconds } = await answer(request);
      options.onAnswer(status);
      if (status < 300) listener.trust(request);
      const retryAfter = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
      const headers = { 'content-type': 'application/json', ...retryAfter };
      listener.send(request, response, { status, headers, body: JSON.stringify(body) });
    },
  });
  return {
    port: await listener.listen(),
    load: () => ({ connections: listener.connections, calls: inFlight, arriving: listener.arriving }),
    close: () => listener.close(),
  };
}
