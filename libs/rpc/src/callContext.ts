import type { Writable } from 'node:stream';
import { type Metadata, type ServerUnaryCall, type ServerWritableStream, status as Status } from '@grpc/grpc-js';
import { RpcError } from './rpcError.ts';

/** What a handler may know of its call. */
export interface CallContext {
  /** "/package.Service/Method". */
  method: string;
  /** First value of a request header, by its lower-case name. */
  header(name: string): string | undefined;
  /** Aborts when the client goes away or the deadline passes. */
  signal: AbortSignal;
  /** When the client stops waiting. */
  deadline: Date | undefined;
  /** The client's address. */
  peer: string;
  /** The request as it came, for signatures. */
  rawRequest: Uint8Array;
}

type AnyCall = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

export function contextOf(path: string, call: AnyCall): CallContext {
  let abort: AbortController | undefined;
  const deadline = call.getDeadline();
  return {
    method: path,
    header: (name) => firstText(call.metadata, name),
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
    rawRequest: call.request,
  };
}

const GONE = new RpcError(Status.CANCELLED, 'the client went away or its deadline passed');

function firstText(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(name)[0];
  return typeof value === 'string' ? value : undefined;
}

/** Resolves when the client has taken what was written, or is gone. */
export function drained(stream: Pick<Writable, 'once' | 'off'>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    stream.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}
