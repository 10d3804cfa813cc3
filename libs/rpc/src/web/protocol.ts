import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Served } from '../calls.ts';
import type { HttpAnswer } from '../http/listener.ts';
import { RpcError, Status } from '../rpcError.ts';

/** One of the ways in which calls come over HTTP: how it writes messages, errors and deadlines. */
export interface Protocol {
  /** What clients may send beside the headers of every browser. */
  readonly requestHeaders: readonly string[];
  /** How long the client waits, milliseconds. @throws RpcError when that cannot be read */
  timeoutMs(headers: IncomingHttpHeaders): number | undefined;
  /** The request's message as protobuf. @throws RpcError */
  read(served: Served, body: Buffer, headers: IncomingHttpHeaders): Promise<Uint8Array>;
  answer(served: Served, response: Buffer, headers: IncomingHttpHeaders): HttpAnswer | Promise<HttpAnswer>;
  refuse(error: RpcError): HttpAnswer;
  /** Undefined when this protocol has no streams. */
  readonly stream: ((headers: IncomingHttpHeaders) => StreamProtocol) | undefined;
}

interface StreamProtocol {
  readonly headers: Record<string, string>;
  message(response: Buffer): Promise<Buffer | string>;
  /** @param error undefined: everything was sent */
  end(error: RpcError | undefined): Buffer | string;
}

const unzip = promisify(gunzip);

/** @throws RpcError when it is no gzip, or it has more than `maxBytes`, packed or not */
export async function decompressed(bytes: Uint8Array, encoding: string | undefined, maxBytes: number): Promise<Uint8Array> {
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  if (encoding === undefined || encoding === 'identity') return bytes;
  if (encoding !== 'gzip') throw new RpcError(Status.UNIMPLEMENTED, `messages may be compressed by gzip, not by ${encoding}`);
  try {
    return await unzip(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw new RpcError(Status.INVALID_ARGUMENT, 'the message is not compressed by gzip, as it says', {}, { cause: error });
  }
}

export function tooLarge(maxBytes: number): RpcError {
  return new RpcError(Status.RESOURCE_EXHAUSTED, `a request has at most ${maxBytes} bytes`);
}
