import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** Two different answers to "who calls" must not become one of them: which one a proxy has looked at is not known. */
const NAME = 'authorization';

/**
 * Node keeps the first `authorization` of a request over HTTP/2 and drops the others without a word. This puts them all into the
 * headers that a server's calls get, joined by commas as HTTP says. grpc-js has no way to it, so this reaches for its HTTP/2
 * servers; a test shows that it still works.
 *
 * @param server with all its connection injectors
 */
export function keepRepeatedHeaders(server: Server): void {
  const { http2Servers } = server as unknown as { http2Servers: Map<Http2Server, unknown> };
  for (const http2Server of http2Servers.keys()) http2Server.prependListener('stream', joinRepeated);
}

function joinRepeated(_stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]): void {
  const all = allOf(raw, NAME);
  if (all.length > 1) headers[NAME] = all.join(', ');
}

/** @param raw names and values in turn, as they came */
export function allOf(raw: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) if (raw[i]?.toLowerCase() === name) values.push(raw[i + 1] ?? '');
  return values;
}
