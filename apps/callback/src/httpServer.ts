import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

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
  handle: (headers: (name: string) => string | undefined, body: Buffer) => Promise<HttpAnswer>;
  onAnswer: (status: number) => void;
}

export interface HttpServer {
  port: number;
  close(): Promise<void>;
}

/** Takes POSTs on one path, with every bound that a public endpoint needs. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  let inFlight = 0;
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 60_000, maxHeaderSize: 8_192 },
    (request, response) => {
      const finish = (answer: HttpAnswer) => {
        options.onAnswer(answer.status);
        send(response, answer);
      };
      if (request.url !== options.path || request.method !== 'POST') {
        return finish({ status: 404, body: { error: `POST callbacks to ${options.path}` } });
      }
      if (inFlight >= options.maxInFlight) return finish({ status: 503, body: { error: 'busy' }, retryAfterSeconds: 1 });
      inFlight += 1;
      answer(request, options).then(
        (result) => {
          inFlight -= 1;
          finish(result);
        },
        () => {
          inFlight -= 1;
          response.destroy(); // The request broke off: nobody is left to answer.
        },
      );
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function answer(request: IncomingMessage, { maxBytes, handle }: HttpServerOptions): Promise<HttpAnswer> {
  const body = await readBody(request, maxBytes);
  if (body === 'too large') return { status: 413, body: { error: `a callback has at most ${maxBytes} bytes` } };
  return handle((name) => firstValue(request.headers[name]), body);
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | 'too large'> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return 'too large';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function firstValue(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function send(response: ServerResponse, { status, body, retryAfterSeconds }: HttpAnswer): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    // What is left of a refused body is not read: the connection ends with the answer.
    ...(status === 413 ? { connection: 'close' } : {}),
  });
  response.end(JSON.stringify(body));
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
