import type { IncomingMessage } from 'node:http';
import { isHttp2 } from './http2.ts';

/** Why a body was not read. */
export type Unread = 'too large' | 'too slow';

interface Arriving {
  sinceMs: number;
  giveUp: () => void;
}

/** A body of a good sender takes no longer to arrive, even over a bad network. */
const SLOW_MS = 500;

/**
 * Reads bodies, each up to a size, and so many at once. Past that the oldest is given up if it is slow: bodies that drip must not
 * keep out those that flow.
 */
export class BodyReader {
  readonly #maxBytes: number;
  readonly #most: number;
  /** In the order of their beginning. */
  readonly #arriving = new Set<Arriving>();

  constructor(maxBytes: number, most: number) {
    this.#maxBytes = maxBytes;
    this.#most = most;
  }

  get count(): number {
    return this.#arriving.size;
  }

  /**
   * Rejects when the request breaks off. What is not read stays in the request.
   *
   * @param timeoutMs how long it may take, unless somebody else ends what is slow
   */
  async read(request: IncomingMessage, timeoutMs?: number): Promise<Buffer | Unread> {
    if (Number(request.headers['content-length'] ?? 0) > this.#maxBytes) return 'too large';
    const arriving: Arriving = { sinceMs: performance.now(), giveUp: () => {} };
    if (this.#arriving.size >= this.#most && !this.#makeRoom(arriving.sinceMs)) return 'too slow';
    this.#arriving.add(arriving);
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => arriving.giveUp(), timeoutMs);
    try {
      return await this.#collect(request, arriving);
    } finally {
      clearTimeout(timer);
      this.#arriving.delete(arriving);
    }
  }

  /** Events, not iteration: that would destroy the connection before a refusal could be sent. */
  #collect(request: IncomingMessage, arriving: Arriving): Promise<Buffer | Unread> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const stop = () => {
        request.off('data', take).off('end', finish).off('error', fail).off('close', fail);
        request.pause();
      };
      const give = (result: Buffer | Unread) => {
        stop();
        resolve(result);
      };
      const take = (chunk: Buffer) => {
        size += chunk.length;
        if (size > this.#maxBytes) give('too large');
        else chunks.push(chunk);
      };
      // Over HTTP/2 what is reset ends as what is whole does.
      const finish = () => (isHttp2(request) && request.stream.closed ? fail() : give(Buffer.concat(chunks)));
      const fail = (error?: Error) => {
        stop();
        reject(error ?? new Error('the request broke off'));
      };
      arriving.giveUp = () => give('too slow');
      request.on('data', take).on('end', finish).on('error', fail).on('close', fail);
    });
  }

  #makeRoom(nowMs: number): boolean {
    const oldest = this.#arriving.values().next().value;
    if (oldest === undefined || nowMs - oldest.sinceMs < SLOW_MS) return false;
    this.#arriving.delete(oldest);
    oldest.giveUp();
    return true;
  }
}
