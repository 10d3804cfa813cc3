import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Caller } from './generator.ts';
import type { CallsOptions } from './webCalls.ts';

const FRAME_HEADER = 5;
/** A client has one connection for all its calls; a gateway has several clients. */
const SESSIONS = 4;

/** gRPC over plain HTTP/2, on Node's own client: grpc-js' costs more than its server, and would measure itself. */
export async function grpcCalls({ port, path, message, connections }: CallsOptions): Promise<Caller[]> {
  const frame = Buffer.concat([Buffer.alloc(FRAME_HEADER), message]);
  frame.writeUInt32BE(message.length, 1);
  const sessions = await Promise.all(Array.from({ length: Math.min(SESSIONS, connections) }, () => open(port)));
  return Array.from({ length: connections }, (_, i) => {
    const session = sessions[i % sessions.length] as ClientHttp2Session;
    return { call: () => call(session, path, frame), close: () => session.destroy() };
  });
}

async function open(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  await once(session, 'connect');
  return session;
}

function call(session: ClientHttp2Session, path: string, frame: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
    });
    const received: Buffer[] = [];
    let status: unknown;
    request.on('data', (data: Buffer) => received.push(data));
    request.on('trailers', (trailers) => {
      status = trailers['grpc-status'];
    });
    request.on('error', reject);
    request.on('end', () => {
      if (status === '0') resolve(Buffer.concat(received).subarray(FRAME_HEADER));
      else reject(new Error(`the call has failed with status ${status}`));
    });
    request.end(frame);
  });
}
