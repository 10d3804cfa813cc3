import { isIPv6, type Socket, SocketAddress } from 'node:net';

/**
 * The header with which a balancer of TCP connections says whose connection it hands on: version 2 of the PROXY protocol
 * (haproxy.org/download/2.9/doc/proxy-protocol.txt), HAProxy's `send-proxy-v2`. Version 1 is text and not taken.
 */
const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** The signature, version and command, family, and how much follows. */
const HEAD_BYTES = 16;
/** Addresses and what balancers add to them, certificates' names for example. The length could say 64 kB. */
const MAX_HEADER_BYTES = 4_096;
const VERSION = 0x20;
const LOCAL = 0x0;
const PROXY = 0x1;
/** By the byte that says so, what addresses take; a family that this does not know is none. */
const ADDRESS_BYTES: Record<number, number> = { 17: 12, 18: 12, 33: 36, 34: 36, 49: 216, 50: 216 };
const UNSPECIFIED = 0x00;
const TCP_IPV4 = 0x11;
const TCP_IPV6 = 0x21;

export interface Source {
  address: string;
  port: number;
}

export interface ProxyHeader {
  /** Undefined: the balancer calls by itself, to look whether the server is there, or it does not know. */
  source: Source | undefined;
  bytes: number;
}

/** Not one of the balancer's headers, or one that says what cannot be. */
class ProxyHeaderError extends Error {
  override readonly name = 'ProxyHeaderError';
}

/** @returns undefined while more has to come. @throws ProxyHeaderError as soon as it cannot become one */
export function parseProxyHeader(received: Buffer): ProxyHeader | undefined {
  const begun = Math.min(received.length, SIGNATURE.length);
  if (!received.subarray(0, begun).equals(SIGNATURE.subarray(0, begun))) throw new ProxyHeaderError('it is no PROXY header');
  if (received.length < HEAD_BYTES) return undefined;
  const [versionAndCommand, family, length] = [received.readUInt8(12), received.readUInt8(13), received.readUInt16BE(14)];
  const command = versionAndCommand ^ VERSION;
  if (command !== LOCAL && command !== PROXY) throw new ProxyHeaderError('its version or command is unknown');
  const bytes = HEAD_BYTES + length;
  if (bytes > MAX_HEADER_BYTES) throw new ProxyHeaderError(`it has ${bytes} bytes, more than ${MAX_HEADER_BYTES}`);
  // What a balancer says of a connection of its own is of no interest.
  if (command === PROXY && family !== UNSPECIFIED) {
    const least = ADDRESS_BYTES[family];
    if (least === undefined) throw new ProxyHeaderError('its family of addresses is unknown');
    if (length < least) throw new ProxyHeaderError('it is too short for its addresses');
  }
  if (received.length < bytes) return undefined;
  return { source: command === PROXY ? sourceOf(family, received.subarray(HEAD_BYTES)) : undefined, bytes };
}

/** The source stands first, the destination behind it, then both ports. */
function sourceOf(family: number, addresses: Buffer): Source | undefined {
  if (family === TCP_IPV4) return { address: addresses.subarray(0, 4).join('.'), port: addresses.readUInt16BE(8) };
  if (family !== TCP_IPV6) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) => addresses.readUInt16BE(2 * i).toString(16)).join(':');
  const { address } = new SocketAddress({ address: groups, family: 'ipv6' });
  return { address: isIPv6(address) ? address : groups, port: addresses.readUInt16BE(32) };
}

/**
 * Reads the header off a new connection and not a byte more: the rest is the server's. From then on the socket has the address of
 * the client whom the balancer named.
 *
 * @returns how many bytes it had; undefined when the connection closed before. @throws ProxyHeaderError
 */
export function takeProxyHeader(socket: Socket): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const finish = (settle: () => void) => {
      socket.off('readable', read).off('close', closed).off('error', closed);
      // Node takes note of who reads a socket in its next tick: whoever is to read it comes after that.
      setImmediate(settle);
    };
    const closed = () => finish(() => resolve(undefined));
    const read = () => {
      try {
        for (;;) {
          const wanted = received.length < HEAD_BYTES ? HEAD_BYTES : HEAD_BYTES + received.readUInt16BE(14);
          const missing = Math.min(wanted - received.length, socket.readableLength);
          const chunk = missing === 0 ? null : (socket.read(missing) as Buffer | null);
          if (chunk === null) return;
          received = Buffer.concat([received, chunk]);
          const header = parseProxyHeader(received);
          if (header === undefined) continue;
          if (header.source !== undefined) nameSource(socket, header.source);
          finish(() => (socket.destroyed ? resolve(undefined) : resolve(header.bytes)));
          return;
        }
      } catch (error) {
        finish(() => reject(error as Error));
      }
    };
    socket.on('readable', read).on('close', closed).on('error', closed);
    read();
  });
}

/** For whatever asks the socket: the servers of Node and grpc-js know no other way. */
export function nameSource(socket: Socket, { address, port }: Source): void {
  Object.defineProperties(socket, {
    remoteAddress: { value: address },
    remotePort: { value: port },
    remoteFamily: { value: isIPv6(address) ? 'IPv6' : 'IPv4' },
  });
}
