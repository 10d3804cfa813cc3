import type { AddressInfo, Server, Socket } from 'node:net';
import { type TLSSocket, Server as TlsServer } from 'node:tls';
import { nameSource, takeProxyHeader } from './proxyHeader.ts';
import { resetSocket } from './resetSocket.ts';

/** Why a connection was closed without being asked to. */
export const REFUSED = ['too many connections', 'no handshake', 'no PROXY header', 'tls failed', 'slow request'] as const;
export type Refused = (typeof REFUSED)[number];

export interface ConnectionsOptions {
  /** At once. One more takes the place of the oldest stranger; when there are none, it is closed. */
  maxConnections: number;
  /** A connection on which fewer bytes have come by then than any request has is closed. */
  handshakeTimeoutMs: number;
  /** Each connection must begin with a header of the PROXY protocol, version 2, which says whose it is. By default none may. */
  proxyHeader?: boolean | undefined;
  /** @param detail of 'tls failed' and 'no PROXY header': what was wrong with what the client showed, or with its protocol */
  onRefused?: (why: Refused, detail?: string) => void;
}

interface Connection {
  /** "address:port" of its client, as far as is known. */
  name: string;
  headerBytes: number;
  /** What a server of TLS made of it, once its handshake is through. */
  secured: TLSSocket | undefined;
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
  /** Those open, each with what is known of it. */
  readonly #open = new Map<Socket, Connection>();
  /** In the order of their coming. */
  readonly #strangers = new Set<Socket>();
  /** By the name of the client, which several may share: a balancer says what it likes. */
  readonly #named = new Map<string, Set<Socket>>();
  /** By the name that the network knows. */
  readonly #raw = new Map<string, Socket>();

  /** @param server may be one of TLS. Its listeners of `connection` are called here, for those that may come in: none may be added */
  constructor(server: Server, options: ConnectionsOptions) {
    this.#options = options;
    this.#server = server;
    const serve = server.listeners('connection');
    server.removeAllListeners('connection').on('connection', (socket) => {
      if (!this.#accept(socket)) return;
      const enter = () => {
        for (const listener of serve) listener.call(server, socket);
      };
      if (options.proxyHeader === true) void this.#takeHeader(socket, enter);
      else enter();
    });
    if (!(server instanceof TlsServer)) return;
    server.prependListener('secureConnection', (secured) => this.#secure(secured));
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
    for (const socket of this.#named.get(peer) ?? []) this.#strangers.delete(socket);
  }

  /** Takes no more; resolves when all have ended. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** Ends all at once. */
  destroy(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  /** @returns false: it was refused */
  #accept(socket: Socket): boolean {
    const { maxConnections, handshakeTimeoutMs, proxyHeader = false } = this.#options;
    if (this.#open.size >= maxConnections && !this.#makeRoom()) {
      this.#refuse(socket, 'too many connections');
      return false;
    }
    const raw = peerOf(socket);
    // Of a connection that has yet to say whose it is nothing counts.
    this.#open.set(socket, { name: raw, headerBytes: proxyHeader ? Number.POSITIVE_INFINITY : 0, secured: undefined });
    this.#strangers.add(socket);
    this.#raw.set(raw, socket);
    this.#name(socket, raw);
    const patience = setTimeout(() => {
      if (this.#bytesRead(socket) < FEWEST_BYTES) this.#refuse(socket, 'no handshake');
    }, handshakeTimeoutMs);
    patience.unref();
    socket.once('close', () => {
      clearTimeout(patience);
      this.#forget(socket);
      // The port may be another connection's by now.
      if (this.#raw.get(raw) === socket) this.#raw.delete(raw);
    });
    return true;
  }

  async #takeHeader(socket: Socket, enter: () => void): Promise<void> {
    socket.on('error', () => {}); // Between those who listen to it.
    try {
      const bytes = await takeProxyHeader(socket);
      const connection = this.#open.get(socket);
      if (bytes === undefined || connection === undefined) {
        socket.destroy();
        return;
      }
      connection.headerBytes = bytes;
      this.#name(socket, peerOf(socket));
      enter();
    } catch (error) {
      this.#refuse(socket, 'no PROXY header', (error as Error).message);
    }
  }

  #name(socket: Socket, name: string): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    this.#unname(socket, connection.name);
    connection.name = name;
    const others = this.#named.get(name);
    if (others === undefined) this.#named.set(name, new Set([socket]));
    else others.add(socket);
  }

  #unname(socket: Socket, name: string): void {
    const sockets = this.#named.get(name);
    sockets?.delete(socket);
    if (sockets?.size === 0) this.#named.delete(name);
  }

  /** TLS asks the network for the client's name: only the connection below knows the balancer's word. */
  #secure(secured: TLSSocket): void {
    const socket = this.#raw.get(peerOf(secured));
    const connection = socket && this.#open.get(socket);
    if (socket === undefined || connection === undefined) return;
    connection.secured = secured;
    const { remoteAddress: address, remotePort: port } = socket;
    if (address !== undefined && port !== undefined && connection.name !== peerOf(secured))
      nameSource(secured, { address, port });
  }

  /** What a PROXY header and a handshake of TLS take does not count. */
  #bytesRead(socket: Socket): number {
    const { headerBytes, secured } = this.#open.get(socket) ?? { headerBytes: 0, secured: undefined };
    return this.#server instanceof TlsServer ? (secured?.bytesRead ?? 0) : socket.bytesRead - headerBytes;
  }

  #makeRoom(): boolean {
    const [oldest] = this.#strangers;
    if (oldest === undefined) return false;
    this.#refuse(oldest, 'too many connections');
    this.#forget(oldest);
    return true;
  }

  /** Reset, not closed in order: a peer that reads nothing must not keep the socket. */
  #refuse(socket: Socket, why: Refused, detail?: string): void {
    socket.on('error', () => {}); // Of a peer that is gone already.
    resetSocket(socket, this.#open.get(socket)?.secured);
    this.#options.onRefused?.(why, detail);
  }

  #forget(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection !== undefined) this.#unname(socket, connection.name);
    this.#open.delete(socket);
    this.#strangers.delete(socket);
  }
}

/** As grpc-js names a peer. */
export function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
