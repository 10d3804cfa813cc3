import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, createServer, type Http2Server, type Http2ServerRequest, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';

export interface Http2Options {
  /** Requests at once on one connection; more are refused, and clients ask again. */
  maxStreams: number;
  /** A connection without requests for this long is closed. */
  idleTimeoutMs: number;
  /** A connection is asked so often whether its client is there, */
  pingAfterMs: number;
  /** and closed when nothing comes for so long. */
  pingTimeoutMs: number;
  onRequest: (request: IncomingMessage, response: ServerResponse) => void;
}

/** A peer that has been told the end closes its side in this time; else it is cut off. */
const GOODBYE_MS = 5_000;

/** Of resets at once, where fewer requests than that may be open. */
const MIN_RESET_BURST = 200;

/** HTTP/2 on connections that others accept, with Node's interface of HTTP/1.1. */
export class Http2 {
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #options: Http2Options;
  #closing = false;

  constructor(options: Http2Options) {
    const { maxStreams, onRequest } = options;
    this.#options = options;
    this.#server = createServer(
      {
        settings: { maxConcurrentStreams: maxStreams },
        // What follows ends the connections of those who send what costs much to take and nothing to send.
        maxSettings: 16,
        maxSessionInvalidFrames: 50,
        maxSessionRejectedStreams: 100,
        // A page may cancel all that it has open in one instant, and goes on with the rest.
        streamResetBurst: Math.max(MIN_RESET_BURST, maxStreams),
        streamResetRate: 33,
        maxOutstandingPings: 10,
        maxSessionMemory: 10,
      },
      (request, response) => onRequest(request as unknown as IncomingMessage, response as unknown as ServerResponse),
    );
  }

  serve(connection: Socket): void {
    // Told at once, by the next line.
    this.#server.once('session', (session) => this.#follow(session, connection));
    this.#server.emit('connection', connection);
  }

  /** Tells all that nothing more is taken; what is under way goes on. */
  close(): void {
    this.#closing = true;
    for (const session of this.#sessions) session.close();
  }

  #follow(session: ServerHttp2Session, connection: Socket): void {
    this.#sessions.add(session);
    let open = 0;
    let timer: NodeJS.Timeout | undefined;
    // By itself it waits for ever until its peer has read everything.
    const cutOff = () => {
      clearTimeout(timer);
      timer = setTimeout(() => connection.destroy(), GOODBYE_MS).unref();
    };
    const goodbye = () => {
      session.close();
      cutOff();
    };
    const wait = () => {
      timer = setTimeout(goodbye, this.#options.idleTimeoutMs).unref();
    };
    session.on('stream', (stream) => {
      clearTimeout(timer);
      open += 1;
      stream.once('close', () => {
        open -= 1;
        if (open === 0 && !session.closed && !session.destroyed) wait();
      });
    });
    const stopAsking = this.#ask(session, connection);
    session.once('error', cutOff);
    session.once('close', () => {
      clearTimeout(timer);
      stopAsking();
      this.#sessions.delete(session);
    });
    wait();
    if (this.#closing) session.close();
  }

  /** Whatever comes is a sign of life: behind much that a slow client has not taken yet, the answer to a ping may be late. */
  #ask(session: ServerHttp2Session, connection: Socket): () => void {
    const { pingAfterMs, pingTimeoutMs } = this.#options;
    let late: NodeJS.Timeout | undefined;
    const timer = setInterval(() => {
      if (late !== undefined) return; // One question at a time, however long its answer may take.
      const { bytesRead } = connection;
      late = setTimeout(() => {
        late = undefined;
        if (connection.bytesRead === bytesRead) connection.destroy();
      }, pingTimeoutMs).unref();
      if (!session.destroyed) session.ping(() => {});
    }, pingAfterMs).unref();
    return () => {
      clearInterval(timer);
      clearTimeout(late);
    };
  }
}

/** Whether Node's interface of HTTP/1.1 has HTTP/2 below it. */
export function isHttp2(request: unknown): request is Http2ServerRequest {
  return (request as IncomingMessage).httpVersionMajor === 2;
}

/** Ends a request whose body nobody reads once it is answered: else the stream stays, with all its memory, until the client ends it. */
export function endUnread(request: Http2ServerRequest): void {
  const { stream } = request;
  if (request.complete || stream.endAfterHeaders) return;
  stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
}
