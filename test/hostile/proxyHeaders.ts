import { isIPv4 } from 'node:net';

/** Headers of the PROXY protocol, version 2, by hand. */
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
export const LOCAL = 0x20;
export const PROXY = 0x21;

export function header(versionAndCommand: number, family: number, rest: Buffer = Buffer.alloc(0), length = rest.length): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt8(versionAndCommand, 0);
  head.writeUInt8(family, 1);
  head.writeUInt16BE(length, 2);
  return Buffer.concat([SIGNATURE, head, rest]);
}

/** What a balancer says of a connection from there to a server somewhere. */
export function proxyHeader(address: string, port: number, { tlvs = Buffer.alloc(0) } = {}): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(port, 0);
  ports.writeUInt16BE(443, 2);
  const isFour = isIPv4(address);
  const destination = Buffer.alloc(isFour ? 4 : 16, 1);
  return header(PROXY, isFour ? 0x11 : 0x21, Buffer.concat([bytesOf(address), destination, ports, tlvs]));
}

function bytesOf(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [left = '', right = ''] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const all = [...groups(left), ...Array<number>(8 - groups(left).length - groups(right).length).fill(0), ...groups(right)];
  const bytes = Buffer.alloc(16);
  for (const [i, group] of all.entries()) bytes.writeUInt16BE(group, 2 * i);
  return bytes;
}

const four = proxyHeader('192.0.2.1', 4_711);
const addresses = four.subarray(16);
export const SOURCES: [string, Buffer, { address: string; port: number } | undefined][] = [
  ['an IPv4 address', four, { address: '192.0.2.1', port: 4_711 }],
  ['an IPv6 address', proxyHeader('2001:db8::1', 65_535), { address: '2001:db8::1', port: 65_535 }],
  ['an IPv4 address as IPv6', proxyHeader('::ffff:c000:201', 1), { address: '::ffff:192.0.2.1', port: 1 }],
  ['no address', header(PROXY, 0x00), undefined],
  ['no address and something behind', header(PROXY, 0x00, Buffer.alloc(50, 7)), undefined],
  ['a connection of the balancer’s own', header(LOCAL, 0x00), undefined],
  ['a connection of its own, with addresses', header(LOCAL, 0x11, addresses), undefined],
  ['a connection of its own, of a family of its own', header(LOCAL, 0xff, Buffer.alloc(9)), undefined],
  ['datagrams', header(PROXY, 0x12, addresses), undefined],
  ['a socket of its machine', header(PROXY, 0x31, Buffer.alloc(216, 47)), undefined],
  ['4,080 bytes', header(LOCAL, 0x00, Buffer.alloc(4_064)), undefined],
];

/** Each can be seen to be none from these bytes alone. */
export const BROKEN_PROXY_HEADERS: [string, Buffer][] = [
  ['one byte of something else', Buffer.from('G')],
  ['version 1', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n')],
  ['a signature that ends wrongly', Buffer.concat([SIGNATURE.subarray(0, 11), Buffer.from('x')])],
  ['version 1 with the signature of version 2', header(0x11, 0x11, addresses)],
  ['version 3', header(0x31, 0x11, addresses)],
  ['an unknown command', header(0x22, 0x11, addresses)],
  ['an unknown family', header(PROXY, 0x41, addresses)],
  ['an unknown protocol', header(PROXY, 0x13, addresses)],
  ['a family without a protocol', header(PROXY, 0x10, addresses)],
  ['IPv4 without addresses', header(PROXY, 0x11)],
  ['IPv4 a byte too short', header(PROXY, 0x11, addresses.subarray(1))],
  ['IPv6 with the addresses of IPv4', header(PROXY, 0x21, addresses)],
  ['a socket of its machine a byte too short', header(PROXY, 0x31, Buffer.alloc(215))],
  ['4,097 bytes', header(LOCAL, 0x00, Buffer.alloc(4_081))],
  ['64 kB', header(PROXY, 0x11, addresses, 65_535)],
];
