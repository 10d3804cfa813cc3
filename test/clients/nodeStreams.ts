import { Agent, type ClientRequest, request } from 'node:http';

export interface NodeStreams {
  /** On which something has come, and which are open. */
  readonly open: number;
  /** On which the last that came has this text in it. */
  lastToldOf(text: string): number;
  close(): void;
}

/** Opens streams over HTTP/1.1, as pages do, but with a connection for each stream. */
export async function openStreams(count: number, { url, token, body }: StreamOptions): Promise<NodeStreams> {
  const agent = new Agent({ maxSockets: count });
  const open = new Map<ClientRequest, Buffer>();
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body]);
  const openOne = () =>
    new Promise<void>((resolve, reject) => {
      const headers = { 'content-type': 'application/grpc-web+proto', authorization: `Bearer ${token}` };
      const called = request(url, { method: 'POST', agent, headers }, (response) => {
        response.on('data', (chunk: Buffer) => {
          open.set(called, chunk);
          resolve();
        });
        response.on('close', () => open.delete(called));
        response.on('error', () => {}); // The stream was closed.
      });
      called.on('error', reject);
      called.end(frame);
    });
  await Promise.all(Array.from({ length: count }, openOne));
  return {
    get open() {
      return open.size;
    },
    lastToldOf: (text) => [...open.values()].filter((chunk) => chunk.includes(text)).length,
    close: () => {
      for (const called of open.keys()) called.destroy();
      agent.destroy();
    },
  };
}

interface StreamOptions {
  /** Of the method. */
  url: string;
  token: string;
  /** Less than 256 bytes of protobuf. */
  body: Buffer;
}
