import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Caller } from './generator.ts';

export interface CallsOptions {
  port: number;
  path: string;
  /** Of the request, as protobuf. */
  message: Buffer;
  connections: number;
}

const FRAME_HEADER = 5;
const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '\r\n0\r\n\r\n';

/** gRPC-Web over HTTP/1.1, each caller with a connection of its own. On bare sockets: a client that costs more than the server measures itself. */
export function webCalls({ port, path, message, connections }: CallsOptions): Promise<Caller[]> {
  const body = Buffer.concat([Buffer.alloc(FRAME_HEADER), message]);
  body.writeUInt32BE(message.length, 1);
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    'content-type: application/grpc-web+proto',
    'x-grpc-web: 1',
    'te: trailers',
    `content-length: ${body.length}`,
  ];
  const request = Buffer.concat([Buffer.from(`${head.join('\r\n')}${HEAD_END}`), body]);
  return Promise.all(Array.from({ length: connections }, () => open(port, request)));
}

async function open(port: number, request: Buffer): Promise<Caller> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const next = answers(socket);
  return {
    call: () => {
      const answer = next();
      socket.write(request);
      return answer;
    },
    close: () => socket.destroy(),
  };
}

function answers(socket: Socket): () => Promise<Buffer> {
  let waiting: PromiseWithResolvers<Buffer> | undefined;
  let received = Buffer.alloc(0);
  socket.on('data', (data) => {
    received = received.length === 0 ? data : Buffer.concat([received, data]);
    const body = bodyOf(received);
    if (body === undefined) return;
    received = Buffer.alloc(0);
    try {
      waiting?.resolve(messageOf(body));
    } catch (error) {
      waiting?.reject(error);
    }
  });
  socket.on('error', (error) => waiting?.reject(error));
  socket.on('close', () => waiting?.reject(new Error('the server has closed the connection')));
  return () => {
    waiting = Promise.withResolvers();
    return waiting.promise;
  };
}

/** Undefined until all of it is there. Nothing follows it: one call is under way. */
function bodyOf(received: Buffer): Buffer | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd === -1) return undefined;
  const head = received.toString('latin1', 0, headEnd);
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(`the server has answered ${head.split('\r\n', 1)[0]}`);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  const body = received.subarray(headEnd + HEAD_END.length);
  if (length !== undefined) return body.length < Number(length) ? undefined : body;
  if (!body.subarray(-LAST_CHUNK.length).equals(Buffer.from(LAST_CHUNK))) return undefined;
  return unchunked(body);
}

function unchunked(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = body.indexOf('\r\n', at);
    const length = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}

/** One message, then trailers that say success. */
function messageOf(body: Buffer): Buffer {
  const end = FRAME_HEADER + body.readUInt32BE(1);
  const trailers = body.toString('latin1', end + FRAME_HEADER);
  if (!/grpc-status: ?0\r?$/m.test(trailers)) throw new Error(`the call has failed: ${trailers}`);
  return body.subarray(FRAME_HEADER, end);
}
