import { type Metadata, type ServerUnaryCall, type ServerWritableStream, status as Status } from '@grpc/grpc-js';
import { addressOf } from './address.ts';
import { RpcError } from './rpcError.ts';

export const FORWARDED_FOR = 'x-forwarded-for';

/** What a handler may know of its call. */
export interface CallContext {
  /** "/package.Service/Method". */
  method: string;
  /** A request header, by its lower-case name; all its values, joined by commas, when it was sent several times. */
  header(name: string): string | undefined;
  /** Aborts when the client goes away or the deadline passes. */
  signal: AbortSignal;
  /** When the client stops waiting. */
  deadline: Date | undefined;
  /** "address:port" of the connection. */
  peer: string;
  /** The client's address, also behind proxies that are trusted. */
  address: string;
  /** The request as it came, for signatures. */
  rawRequest: Uint8Array;
}

type AnyCall = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

/** @param trustedHops see `addressOf` */
export function contextOf(path: string, call: AnyCall, trustedHops: number): CallContext {
  let abort: AbortController | undefined;
  const deadline = call.getDeadline();
  return {
    method: path,
    header: (name) => textOf(call.metadata, name),
    // Made when it is asked for. grpc-js says "cancelled" at the end of every call, and an error for each would cost 20 microseconds.
    get signal() {
      if (abort === undefined) {
        const made = new AbortController();
        const cancel = () => made.abort(GONE);
        abort = made;
        if (call.cancelled) cancel();
        else call.once('cancelled', cancel);
      }
      return abort.signal;
    },
    deadline: deadline instanceof Date ? deadline : Number.isFinite(deadline) ? new Date(deadline) : undefined,
    peer: call.getPeer(),
    get address() {
      return addressOf(call.getPeer(), trustedHops === 0 ? undefined : textOf(call.metadata, FORWARDED_FOR), trustedHops);
    },
    rawRequest: call.request,
  };
}

const GONE = new RpcError(Status.CANCELLED, 'the client went away or its deadline passed');

/** The same call with one more way to end it: `ending` is aborted with the call, too. */
export function endedBy(context: CallContext, ending: AbortController): CallContext {
  const { signal } = context;
  if (signal.aborted) ending.abort(signal.reason);
  else signal.addEventListener('abort', () => ending.abort(signal.reason), { once: true });
  return {
    method: context.method,
    header: (name) => context.header(name),
    signal: ending.signal,
    deadline: context.deadline,
    peer: context.peer,
    address: context.address,
    rawRequest: context.rawRequest,
  };
}

function textOf(metadata: Metadata, name: string): string | undefined {
  const values = metadata.get(name);
  return values.length === 0 ? undefined : values.join(', ');
}

/**
 * Resolves when what is written has gone out, or the call is over. Not when there is room for more: grpc-js counts messages there,
 * not bytes, and would take sixteen of any size from a stream whose reader has stopped.
 */
export function written(
  stream: { write(chunk: Buffer | string, done: () => void): unknown },
  chunk: Buffer | string,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
    stream.write(chunk, done);
  });
}
