import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { PATIENCE } from '@stockbroker/testkit/patience';

/** What came back of a call. */
export interface GrpcAnswer {
  http: number | undefined;
  /** Undefined when the stream ended without a status. */
  code: number | undefined;
  message: string;
  body: Buffer;
}

export interface RawCall {
  path: string;
  headers?: OutgoingHttpHeaders;
  /** As it goes out, with the five bytes before each message. */
  body?: Uint8Array;
  /** False: the request does not end. */
  ends?: boolean;
}

const DEADLINE_MS = 30_000 * PATIENCE;

/** Calls as no gRPC library makes them, over a connection of their own. */
export class GrpcCaller {
  readonly #session: ClientHttp2Session;

  constructor(address: string) {
    this.#session = connect(`http://${address}`);
    this.#session.on('error', () => {}); // The calls tell.
  }

  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  call({ path, headers = {}, body, ends = true }: RawCall): Promise<GrpcAnswer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      const answer: GrpcAnswer = { http: undefined, code: undefined, message: '', body: Buffer.alloc(0) };
      const note = (fields: IncomingHttpHeaders & { ':status'?: number }) => {
        answer.http ??= fields[':status'];
        if (fields['grpc-status'] === undefined) return;
        answer.code = Number(fields['grpc-status']);
        answer.message = decodeURI(String(fields['grpc-message'] ?? ''));
      };
      const timer = setTimeout(() => {
        stream.destroy();
        reject(new Error(`${path} was not answered within ${DEADLINE_MS} ms`));
      }, DEADLINE_MS);
      stream.on('response', note);
      stream.on('trailers', note);
      stream.on('data', (chunk: Buffer) => {
        answer.body = Buffer.concat([answer.body, chunk]);
      });
      stream.on('error', () => {}); // A reset is an answer too: one without a status.
      stream.once('close', () => {
        clearTimeout(timer);
        resolve(answer);
      });
      if (body !== undefined) stream.write(body);
      if (ends) stream.end();
    });
  }

  close(): void {
    this.#session.destroy();
  }
}
