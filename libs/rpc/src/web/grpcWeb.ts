import type { IncomingHttpHeaders } from 'node:http';
import { type HttpAnswer, headerOf } from '../http/listener.ts';
import { encodeStatus, RpcError, Status, unpaddedBase64 } from '../rpcError.ts';
import { readGrpcTimeout } from '../timeout.ts';
import { acceptedEncodings, zipped } from './compress.ts';
import { decompressed, type Protocol } from './protocol.ts';

/** gRPC-Web, github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md: gRPC's frames in a body, and the trailers as the last of them. */
const HEADER_BYTES = 5;
const COMPRESSED = 0x01;
const TRAILERS = 0x80;

/** @param isText base64, which old browsers can read while it arrives */
export function grpcWeb(contentType: string, isText: boolean, maxBytes: number): Protocol {
  const written = (frames: Buffer) => (isText ? frames.toString('base64') : frames);
  const headers = { 'content-type': contentType };
  const whole = (more: object, ...frames: Buffer[]): HttpAnswer => ({
    status: 200,
    headers: { ...headers, ...more },
    body: written(Buffer.concat(frames)),
  });
  return {
    requestHeaders: ['grpc-timeout', 'grpc-encoding', 'grpc-accept-encoding', 'x-grpc-web', 'x-user-agent'],
    timeoutMs: readTimeout,
    read: async (_served, body, requestHeaders) => {
      const { flags, message } = readFrame(isText ? fromBase64(body) : body);
      return decompressed(message, flags & COMPRESSED ? headerOf(requestHeaders, 'grpc-encoding') : undefined, maxBytes);
    },
    answer: async (_served, response, requestHeaders) => {
      const packing = packingFor(requestHeaders);
      return whole(packing.headers, await packing.frame(response), trailers(undefined));
    },
    refuse: (error) => whole({}, trailers(error)),
    stream: (requestHeaders) => {
      const packing = packingFor(requestHeaders);
      return {
        headers: { ...headers, ...packing.headers },
        message: async (response) => written(await packing.frame(response)),
        end: (error) => written(trailers(error)),
      };
    },
  };
}

/** Each message compressed by itself, if the client says that it reads that. */
function packingFor(requestHeaders: IncomingHttpHeaders) {
  if (!acceptedEncodings(headerOf(requestHeaders, 'grpc-accept-encoding')).has('gzip'))
    return { headers: {}, frame: async (message: Buffer) => frame(0, message) };
  return {
    headers: { 'grpc-encoding': 'gzip' },
    frame: async (message: Buffer) => {
      const packed = await zipped(message);
      return packed === undefined ? frame(0, message) : frame(COMPRESSED, packed);
    },
  };
}

function frame(flags: number, content: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(HEADER_BYTES + content.length);
  framed.writeUInt8(flags, 0);
  framed.writeUInt32BE(content.length, 1);
  content.copy(framed, HEADER_BYTES);
  return framed;
}

function trailers(error: RpcError | undefined): Buffer {
  const { code, message, details } = encodeStatus(error);
  const lines = [`grpc-status:${code}`, `grpc-message:${percentEncoded(message)}`];
  if (details !== undefined) lines.push(`grpc-status-details-bin:${unpaddedBase64(details)}`);
  return frame(TRAILERS, Buffer.from(lines.map((line) => `${line}\r\n`).join('')));
}

/** The one message of a request. @throws RpcError */
function readFrame(body: Buffer): { flags: number; message: Buffer } {
  const flags = body.length < HEADER_BYTES ? undefined : body.readUInt8(0);
  const message = body.subarray(HEADER_BYTES);
  if (flags === undefined || (flags & ~COMPRESSED) !== 0 || message.length !== body.readUInt32BE(1)) {
    throw new RpcError(Status.INVALID_ARGUMENT, 'the request is not one gRPC-Web message');
  }
  return { flags, message };
}

/** Pieces of base64 may follow each other, each with its own padding. */
function fromBase64(body: Buffer): Buffer {
  const pieces = body.toString('latin1').match(/[^=]+=*/g) ?? [];
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64')));
}

/** @throws RpcError */
function readTimeout(headers: IncomingHttpHeaders): number | undefined {
  const text = headerOf(headers, 'grpc-timeout');
  return text === undefined ? undefined : readGrpcTimeout(text);
}

/** As gRPC wants it: what is not printable ASCII, and the percent sign, as %XX of its UTF-8. */
function percentEncoded(text: string): string {
  return text.replace(/[^ -$&-~]+/g, (part) =>
    [...Buffer.from(part)].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''),
  );
}
