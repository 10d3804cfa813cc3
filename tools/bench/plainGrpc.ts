import { type ClientHttp2Session, connect, constants } from 'node:http2';

const FRAME_HEADER = 5;

export interface PlainCallOptions {
  headers?: Record<string, string>;
  /** After which the server gives the call up, and a little later the client. */
  timeoutMs?: number;
}

/** Longer than the server needs to say that the time is over. */
const GRACE_MS = 1_000;

/** Unary gRPC calls on a connection of Node's own HTTP/2 client: grpc-js' costs more than its server, and would measure itself. */
export class PlainGrpc {
  readonly #address: string;
  #session: ClientHttp2Session;

  /** @param address host:port; connects at once, and again when the connection is lost */
  constructor(address: string) {
    this.#address = address;
    this.#session = this.#connect();
  }

  /**
   * @param path "/package.Service/Method"
   * @returns the answer's message
   * @throws when it is anything but a success
   */
  call(path: string, message: Uint8Array, { headers, timeoutMs }: PlainCallOptions = {}): Promise<Buffer> {
    const frame = Buffer.allocUnsafe(FRAME_HEADER + message.length);
    frame.writeUInt8(0);
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, FRAME_HEADER);
    if (this.#session.closed || this.#session.destroyed) this.#session = this.#connect();
    const session = this.#session;
    return new Promise((resolve, reject) => {
      const request = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc+proto',
        te: 'trailers',
        ...(timeoutMs === undefined ? {} : { 'grpc-timeout': `${timeoutMs}m` }),
        ...headers,
      });
      let answer: Buffer | undefined;
      let status: string | undefined;
      let why: string | undefined;
      const tell = (from: NodeJS.Dict<string | string[]>) => {
        status = from['grpc-status'] as string | undefined;
        why = from['grpc-message'] as string | undefined;
      };
      if (timeoutMs !== undefined) request.setTimeout(timeoutMs + GRACE_MS, () => request.close(constants.NGHTTP2_CANCEL));
      request.on('response', tell); // An error may come in the headers, without a message.
      request.on('trailers', tell);
      request.on('data', (data: Buffer) => {
        answer = answer === undefined ? data : Buffer.concat([answer, data]);
      });
      request.on('error', reject);
      request.on('close', () => {
        if (status === '0' && answer !== undefined) resolve(answer.subarray(FRAME_HEADER));
        else reject(new Error(`the call has failed with status ${status}: ${why}`));
      });
      request.end(frame);
    });
  }

  close(): void {
    this.#session.destroy();
  }

  #connect(): ClientHttp2Session {
    const session = connect(`http://${this.#address}`);
    session.on('error', () => {}); // Its calls tell.
    return session;
  }
}
