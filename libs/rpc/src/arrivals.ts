import {
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status as Status,
  type StatusObject,
} from '@grpc/grpc-js';
import { closeStream } from './grpcStream.ts';

export interface ArrivalsOptions {
  /** How long a request may take from its headers to its end. */
  timeoutMs: number;
  /** Requests that have begun and not ended. One more ends the oldest, if that is slow; else it is refused itself. */
  most: number;
  /** What to tell the client of a call that is ended for the second reason. */
  overloaded: (arriving: number) => StatusObject;
  onRefused: () => void;
}

/** A request of a good client takes no longer to arrive, even over a bad network. */
const SLOW_MS = 500;

/**
 * Calls whose request has begun and has not come to its end. A good client's arrives within milliseconds; one that drips, or stops
 * in the middle, holds memory for as long as it likes unless somebody ends it. Past the bound the oldest goes, which is the slowest.
 */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  /** In the order of their beginning, with when that was. */
  readonly #waiting = new Map<ServerInterceptingCallInterface, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#waiting.size;
  }

  readonly interceptor: ServerInterceptor = (_method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) => {
        this.#begin(call);
        next({
          onReceiveHalfClose: (proceed) => {
            this.#waiting.delete(call);
            proceed();
          },
          onCancel: () => {
            this.#waiting.delete(call);
          },
        });
      },
    });

  stop(): void {
    clearInterval(this.#timer);
  }

  #begin(call: ServerInterceptingCallInterface): void {
    const { most, timeoutMs, overloaded } = this.#options;
    this.#timer ??= setInterval(() => this.#sweep(), Math.max(10, timeoutMs / 10)).unref();
    const nowMs = performance.now();
    const oldest = this.#waiting.entries().next().value;
    const ended = this.#waiting.size < most ? undefined : oldest !== undefined && nowMs - oldest[1] > SLOW_MS ? oldest[0] : call;
    if (ended !== call) this.#waiting.set(call, nowMs);
    if (ended !== undefined) this.#end(ended, overloaded(this.#waiting.size));
  }

  #sweep(): void {
    const overdue = performance.now() - this.#options.timeoutMs;
    for (const [call, sinceMs] of this.#waiting) {
      if (sinceMs > overdue) return;
      const details = `the request did not arrive within ${this.#options.timeoutMs} ms`;
      this.#end(call, { code: Status.DEADLINE_EXCEEDED, details, metadata: new Metadata() });
    }
  }

  #end(call: ServerInterceptingCallInterface, status: StatusObject): void {
    this.#waiting.delete(call);
    call.sendStatus(status);
    closeStream(call);
    this.#options.onRefused();
  }
}
