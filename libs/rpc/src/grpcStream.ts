import { constants, type Http2Stream } from 'node:http2';
import type { ServerInterceptingCallInterface, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';

/** grpc-js has no way to close the stream of a call, so both of these reach for it; tests show that they still find it. */
interface HasStream {
  stream?: Http2Stream;
}

/** A stream whose answer has gone out stays, with all its memory, until the client ends its side too, which this one will not do. */
export function closeStream(call: ServerInterceptingCallInterface): void {
  (call as HasStream).stream?.close(constants.NGHTTP2_NO_ERROR);
}

/** For a call that has been answered: a client that does not take the rest in time loses it. Nothing counts a call that is over. */
export function giveUpLate(
  call: ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>,
  timeoutMs: number,
): void {
  const { stream } = (call as unknown as { call: { nextCall: HasStream } }).call.nextCall;
  if (stream === undefined || stream.destroyed) return;
  const giveUp = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), timeoutMs).unref();
  stream.once('close', () => clearTimeout(giveUp));
}
