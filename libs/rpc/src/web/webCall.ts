import type { IncomingMessage, ServerResponse } from 'node:http';
import { addressOf } from '../address.ts';
import { type CallContext, FORWARDED_FOR, written } from '../callContext.ts';
import { peerOf } from '../connections.ts';
import { headerOf } from '../http/listener.ts';
import { allOf } from '../repeatedHeaders.ts';
import { RpcError, Status } from '../rpcError.ts';

/** A call over HTTP, for its handler. */
export class WebCall implements CallContext {
  readonly method: string;
  readonly deadline: Date | undefined;
  readonly peer: string;
  readonly address: string;
  readonly rawRequest: Uint8Array;
  /** Rejects when the deadline passes or the client goes away. */
  readonly over: Promise<never>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #abort = new AbortController();

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    called: { path: string; message: Uint8Array; trustedHops: number; timeoutMs?: number },
  ) {
    this.#request = request;
    this.#response = response;
    this.method = called.path;
    this.rawRequest = called.message;
    this.peer = peerOf(request.socket);
    this.address = addressOf(this.peer, headerOf(request.headers, FORWARDED_FOR), called.trustedHops);
    const { timeoutMs } = called;
    this.deadline = timeoutMs === undefined ? undefined : new Date(Date.now() + timeoutMs);
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // Nobody may be waiting.
    this.over = promise;
    const end = (error: RpcError) => {
      reject(error);
      this.#abort.abort(error);
    };
    const passed = () => end(new RpcError(Status.DEADLINE_EXCEEDED, 'the deadline has passed'));
    const timer = timeoutMs === undefined ? undefined : setTimeout(passed, timeoutMs);
    response.once('close', () => {
      clearTimeout(timer);
      // Not writableFinished: over HTTP/2 a reset finishes it too.
      if (!response.writableEnded) end(new RpcError(Status.CANCELLED, 'the client went away'));
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  header(name: string): string | undefined {
    // Node drops what should not come twice, and one of two tokens is not what was sent.
    const values = allOf(this.#request.rawHeaders, name);
    return values.length === 0 ? undefined : values.join(', ');
  }

  /** Resolves when it has gone out, or the signal aborts. @throws RpcError when nobody is there to take it */
  async write(chunk: Buffer | string, signal: AbortSignal): Promise<void> {
    const response = this.#response;
    if (response.writableEnded || response.destroyed) throw new RpcError(Status.CANCELLED, 'nobody is there to take it');
    await written(response, chunk, signal);
  }
}
