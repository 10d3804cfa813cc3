import { connect, type Socket } from 'node:net';

/** HTTP/2 by hand (RFC 9113), to send what no library would. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const FLAG = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Of name and value pairs: 2 and 4 bytes each. */
export function settings(...pairs: [number, number][]): Buffer {
  const payload = pairs.map(([id, value]) => Buffer.concat([uint32(id).subarray(2), uint32(value)]));
  return frame(TYPE.settings, 0, 0, Buffer.concat(payload));
}

/** HPACK: every field a literal with a new name, never indexed. */
export function hpack(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

export function callHeaders(path: string, more: readonly (readonly [string, string])[] = []): Buffer {
  return hpack([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'broker'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ]);
}

/** What a client says first. */
export const HELLO = Buffer.concat([PREFACE, settings()]);

/** A gRPC message with its five bytes before it. */
export function grpcMessage(bytes: Uint8Array, { flag = 0, length = bytes.length } = {}): Buffer {
  return Buffer.concat([Buffer.from([flag]), uint32(length), bytes]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([lengthOf(bytes.length), bytes]);
}

/** An integer with a prefix of seven bits. */
function lengthOf(length: number): Buffer {
  if (length < 127) return Buffer.from([length]);
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export interface RawConnection {
  socket: Socket;
  /** Everything that came. */
  received(): Buffer;
  /** Resolves when the connection has ended, by whoever. */
  ended: Promise<void>;
  write(bytes: Uint8Array): void;
  destroy(): void;
}

/** @param reads false: takes nothing of what the server sends */
export async function openRaw(port: number, { reads = true } = {}): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const chunks: Buffer[] = [];
  socket.on('error', () => {}); // A reset is one way to end.
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (reads) socket.on('data', (chunk) => chunks.push(chunk));
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
    socket.once('close', resolve);
  });
  return {
    socket,
    received: () => Buffer.concat(chunks),
    ended,
    write: (bytes) => {
      if (!socket.destroyed) socket.write(bytes);
    },
    destroy: () => socket.destroy(),
  };
}
