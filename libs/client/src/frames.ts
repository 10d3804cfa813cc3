import { BadRequest, ErrorInfo, RetryInfo, StatusMessage } from '@stockbroker/rpc/wire';
import { BrokerError, type BrokerErrorDetails, codeOf } from './brokerError.ts';

/** gRPC-Web, github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md: gRPC's frames in a body, and the trailers as the last of them. */
const HEADER_BYTES = 5;
const TRAILERS = 0x80;
/** No message of the broker comes near it: what says so is no broker. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

export interface Frame {
  isTrailers: boolean;
  content: Uint8Array<ArrayBuffer>;
}

export function framed(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER_BYTES + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, HEADER_BYTES);
  return frame;
}

/** The frames of a body as they come. @throws BrokerError for what is no gRPC-Web, or whatever reading the body throws */
export async function* readFrames(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Frame> {
  const reader = body.getReader();
  let buffered = new Uint8Array(0);
  try {
    for (;;) {
      for (let frame = firstFrame(buffered); frame !== undefined; frame = firstFrame(buffered)) {
        buffered = buffered.subarray(HEADER_BYTES + frame.content.length);
        yield frame;
      }
      const { value, done } = await reader.read();
      if (done) break;
      buffered = joined(buffered, value);
    }
  } finally {
    await reader.cancel().catch(() => {}); // It has failed already: that is being told.
  }
  if (buffered.length > 0) throw new BrokerError('UNAVAILABLE', 'the answer broke off');
}

function firstFrame(bytes: Uint8Array<ArrayBuffer>): Frame | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  const flags = bytes[0] ?? 0;
  if ((flags & ~TRAILERS) !== 0 || length > MAX_FRAME_BYTES) throw new BrokerError('INTERNAL', 'the answer is not gRPC-Web');
  if (bytes.length < HEADER_BYTES + length) return undefined;
  return { isTrailers: flags === TRAILERS, content: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length) };
}

function joined(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** @returns undefined for success */
export function readTrailers(content: Uint8Array): BrokerError | undefined {
  const lines = new TextDecoder().decode(content).trim().split('\r\n');
  const values = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  return errorOf((name) => values.get(name));
}

/** @param read of the trailers, or of the headers of an answer that has no body. @returns undefined for success */
export function errorOf(read: (name: string) => string | null | undefined): BrokerError | undefined {
  const status = read('grpc-status');
  if (status === '0') return undefined;
  const message = decodeURIComponentOr(read('grpc-message') ?? 'the answer has no status');
  return new BrokerError(codeOf(Number(status ?? 2)), message, unpacked(read('grpc-status-details-bin')));
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Not encoded as it should be: better read as it is than not at all.
  }
}

function unpacked(base64: string | null | undefined): BrokerErrorDetails {
  const found: BrokerErrorDetails = {};
  if (base64 === null || base64 === undefined) return found;
  try {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    for (const { typeUrl, value } of StatusMessage.decode(bytes).details) readDetail(typeUrl, value, found);
  } catch {
    // Malformed details of a server that is not ours: the code and the message stand without them.
  }
  return found;
}

function readDetail(typeUrl: string, value: Uint8Array, found: BrokerErrorDetails): void {
  if (typeUrl.endsWith('/google.rpc.ErrorInfo')) {
    const { reason, metadata } = ErrorInfo.decode(value);
    found.reason = reason;
    found.figures = metadata;
  } else if (typeUrl.endsWith('/google.rpc.BadRequest')) {
    const { fieldViolations } = BadRequest.decode(value);
    found.violations = fieldViolations.map(({ field, description }) => ({ field, description }));
  } else if (typeUrl.endsWith('/google.rpc.RetryInfo')) {
    const delay = RetryInfo.decode(value).retryDelay;
    if (delay !== undefined) found.retryAfterMs = Number(delay.seconds) * 1_000 + delay.nanos / 1_000_000;
  }
}
