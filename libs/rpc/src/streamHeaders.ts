import { constants, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import { allOf } from './repeatedHeaders.ts';
import { encodeStatus, RpcError } from './rpcError.ts';
import { boundedGrpcTimeout } from './timeout.ts';

/** Two different answers to "who calls" must not become one of them: which one a proxy has looked at is not known. */
const IDENTITY = 'authorization';
const TIMEOUT = 'grpc-timeout';

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: string[]) => void;

/**
 * Looks at the headers of each call before grpc-js does, which has no way to it: this reaches for its HTTP/2 servers, and tests show
 * that it still finds them.
 *
 * Node keeps the first `authorization` of a request over HTTP/2 and drops the others without a word: calls get them all, joined by
 * commas as HTTP says. And grpc-js makes a timer of any `grpc-timeout`: one of more than 24.8 days ends at once, while the handler
 * does what was asked for, and of one with too many digits it takes the last eight.
 *
 * @param server with all its connection injectors
 */
export function checkStreamHeaders(server: Server): void {
  const { http2Servers } = server as unknown as { http2Servers: Map<Http2Server, unknown> };
  for (const http2Server of http2Servers.keys()) {
    const serve = http2Server.listeners('stream') as OnStream[];
    const check: OnStream = (stream, headers, flags, raw) => {
      const problem = headersProblem(headers, raw);
      if (problem !== undefined) return refuse(stream, problem);
      for (const listener of serve) listener.call(http2Server, stream, headers, flags, raw);
    };
    http2Server.removeAllListeners('stream').on('stream', check);
  }
}

function headersProblem(headers: IncomingHttpHeaders, raw: readonly string[]): RpcError | undefined {
  const identities = allOf(raw, IDENTITY);
  if (identities.length > 1) headers[IDENTITY] = identities.join(', ');
  // Two of them, joined by a comma, are none.
  const timeout = headers[TIMEOUT];
  if (timeout === undefined) return undefined;
  try {
    headers[TIMEOUT] = boundedGrpcTimeout(String(timeout));
    return undefined;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
}

/** A status and nothing else, as gRPC has it: in the headers. What still comes of the request is thrown away. */
function refuse(stream: ServerHttp2Stream, error: RpcError): void {
  const { code, message } = encodeStatus(error);
  stream.on('error', () => {}); // Of a client that is gone.
  if (stream.destroyed) return;
  const headers = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(code), 'grpc-message': message };
  stream.respond(headers, { endStream: true });
  stream.resume();
  stream.close(constants.NGHTTP2_NO_ERROR);
}
