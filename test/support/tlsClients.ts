import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import { type RequestOptions, request } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { TestAuthority } from './certificates.ts';

/** Clients of TLS for the tests, which trust one authority. */
export const authority = await TestAuthority.create();
const { ca } = authority;

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export async function over1(port: number, path: string, options: RequestOptions = {}, body = ''): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port, path, ca, agent: false, ...options }).end(body);
  const [response] = await once(sent, 'response');
  return { status: response.statusCode, headers: response.headers, body: await buffer(response) };
}

/** A connection of HTTP/2 whose errors are looked at where they matter. */
export function open2(port: number, options: SecureClientSessionOptions = {}): ClientHttp2Session {
  return connectHttp2(`https://127.0.0.1:${port}`, { ca, ...options }).on('error', () => {});
}

export async function over2(session: ClientHttp2Session, headers: IncomingHttpHeaders, body = ''): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === '' });
  if (body !== '') stream.end(body);
  return answerOf(stream);
}

/** Also of a stream that the server ends before the client does. */
export async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const chunks: Buffer[] = [];
  const over = new Promise((resolve) => stream.once('end', resolve).once('close', resolve));
  const [headers] = await once(stream, 'response');
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await over;
  return { status: headers[':status'], headers, body: Buffer.concat(chunks) };
}

/** However it closes. */
export function closed(one: { once(event: 'close', listener: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => one.once('close', resolve));
}

/** With its handshake done. */
export async function openTls(port: number, ALPNProtocols: string[]): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca, ALPNProtocols }).on('error', () => {});
  await once(socket, 'secureConnect');
  return socket.resume();
}
