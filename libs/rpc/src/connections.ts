import type { AddressInfo, Server, Socket } from 'node:net';
import { type TLSSocket, Server as TlsServer } from 'node:tls';
import { resetSocket } from './resetSocket.ts';

/** Why a connection was closed without being asked to. */
export const REFUSED = ['too many connections', 'no handshake', 'tls failed', 'slow request'] as const;
export type Refused = (typeof REFUSED)[number];

export interface ConnectionsOptions {
  /** At once. One more takes the place of the oldest stranger; when there are none, it is closed. */
  maxConnections: number;
  /** A connection on which fewer bytes have come by then than any request has is closed. */
  handshakeTimeoutMs: number;
  /** @param detail of 'tls failed': what was wrong with what the client showed, or with its protocol */
  onRefused?: (why: Refused, detail?: string) => void;
}

/** HTTP/2's preface, and less than any HTTP/1.1 request. */
const FEWEST_BYTES = 24;

/**
 * The door before a server: takes connections and bounds them. A flood of connections that say nothing must not keep out those
 * that do: a connection is a stranger until a call on it has succeeded, and strangers give way to newcomers, the oldest first. A
 * good client makes its call within milliseconds; then only its own end, or that of the server's patience, closes its connection.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #server: Server;
  /** In the order of their coming. */
  readonly #strangers = new Map<string, Socket>();
  readonly #known = new Set<string>();
  readonly #open = new Set<Socket>();
  /** What a server of TLS made of connections whose handshake is through. */
  readonly #secured = new Map<string, TLSSocket>();

  /** @param server may be one of TLS; listeners of its `connection` that come later see refused sockets destroyed */
  constructor(server: Server, options: ConnectionsOptions) {
    this.#options = options;
    this.#server = server.on('connection', (socket) => this.#accept(socket));
    if (!(server instanceof TlsServer)) return;
    server.on('secureConnection', (socket) => {
      const peer = peerOf(socket);
      this.#secured.set(peer, socket);
      socket.once('close', () => {
        if (this.#secured.get(peer) === socket) this.#secured.delete(peer);
      });
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, { authorizationError }: TLSSocket) => {
      // A peer that just went. So ends also who has no certificate where one is wanted: that one is told by TLS itself.
      if (error.code === 'ECONNRESET' && !authorizationError) return;
      options.onRefused?.('tls failed', String(authorizationError || error.code));
    });
  }

  get count(): number {
    return this.#open.size;
  }

  /** @param port 0 takes a free one. @returns the port */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** @param peer "address:port" of a client one of whose calls has succeeded */
  trust(peer: string): void {
    if (this.#strangers.delete(peer)) this.#known.add(peer);
  }

  /** Takes no more; resolves when all have ended. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** Ends all at once. */
  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #accept(socket: Socket): void {
    const { maxConnections, handshakeTimeoutMs } = this.#options;
    if (this.#open.size >= maxConnections && !this.#makeRoom()) {
      this.#refuse(socket, 'too many connections');
      return;
    }
    const peer = peerOf(socket);
    this.#open.add(socket);
    this.#strangers.set(peer, socket);
    const patience = setTimeout(() => {
      if (this.#bytesRead(peer, socket) < FEWEST_BYTES) this.#refuse(socket, 'no handshake');
    }, handshakeTimeoutMs);
    patience.unref();
    socket.once('close', () => {
      clearTimeout(patience);
      this.#forget(peer, socket);
    });
  }

  /** What a handshake of TLS takes does not count. */
  #bytesRead(peer: string, socket: Socket): number {
    if (!(this.#server instanceof TlsServer)) return socket.bytesRead;
    return this.#secured.get(peer)?.bytesRead ?? 0;
  }

  #makeRoom(): boolean {
    const oldest = this.#strangers.entries().next().value;
    if (oldest === undefined) return false;
    this.#forget(...oldest);
    this.#refuse(oldest[1], 'too many connections');
    return true;
  }

  /** Reset, not closed in order: a peer that reads nothing must not keep the socket. */
  #refuse(socket: Socket, why: Refused): void {
    socket.on('error', () => {}); // Of a peer that is gone already.
    resetSocket(socket, this.#secured.get(peerOf(socket)));
    this.#options.onRefused?.(why);
  }

  #forget(peer: string, socket: Socket): void {
    this.#open.delete(socket);
    // The port may be another connection's by now.
    if (this.#strangers.get(peer) === socket) this.#strangers.delete(peer);
    else this.#known.delete(peer);
  }
}

/** As grpc-js names a peer. */
export function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
