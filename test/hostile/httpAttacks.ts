import { openRaw } from './http2Frames.ts';

/** What is sent to the HTTP callback, byte by byte as it stands, and the status of the answer. */
export interface HttpAttack {
  name: string;
  status: number;
  text: (path: string) => string;
}

const attack = (name: string, status: number, text: HttpAttack['text']): HttpAttack => ({ name, status, text });
const post = (path: string, headers: string[], body = '') =>
  [`POST ${path} HTTP/1.1`, 'host: broker', ...headers, '', body].join('\r\n');
const LENGTH = 'content-length: 2';

/** All unsigned: what can be read as a request gets 401. */
export const HTTP_ATTACKS: HttpAttack[] = [
  attack('no HTTP', 400, () => 'hello there\r\n\r\n'),
  attack('the preface of HTTP/2', 400, () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  attack('a version that there is not', 400, (path) => `POST ${path} HTTP/9.9\r\nhost: b\r\n\r\n`),
  attack('no host', 400, (path) => `POST ${path} HTTP/1.1\r\n${LENGTH}\r\n\r\n{}`),
  attack('a method that there is not', 400, (path) => `BREW ${path} HTTP/1.1\r\nhost: b\r\n\r\n`),
  attack('another method', 404, (path) => `PUT ${path} HTTP/1.1\r\nhost: b\r\n${LENGTH}\r\n\r\n{}`),
  attack('another path', 404, (path) => post(`${path}/../../etc/passwd`, [LENGTH], '{}')),
  attack('a query', 404, (path) => post(`${path}?a=b`, [LENGTH], '{}')),
  attack('a path of 7 kB', 404, () => post(`/${'x'.repeat(7_000)}`, [LENGTH], '{}')),
  attack('headers above the limit', 431, (path) => post(path, [`x: ${'y'.repeat(9_000)}`, LENGTH], '{}')),
  attack('a zero byte in a header', 400, (path) => post(path, ['x: a\0b', LENGTH], '{}')),
  attack('a header without a colon', 400, (path) => post(path, ['x y', LENGTH], '{}')),
  attack('a header name with a space', 400, (path) => post(path, ['x : y', LENGTH], '{}')),
  attack('two lengths', 400, (path) => post(path, [LENGTH, 'content-length: 3'], '{}')),
  attack('a length and chunks', 400, (path) => post(path, [LENGTH, 'transfer-encoding: chunked'], '0\r\n\r\n')),
  attack('a negative length', 400, (path) => post(path, ['content-length: -1'], '{}')),
  attack('a length that is no number', 400, (path) => post(path, ['content-length: 1e3'], '{}')),
  attack('a length of 2^64', 400, (path) => post(path, ['content-length: 18446744073709551616'], '{}')),
  attack('a chunk size that is none', 400, (path) => post(path, ['transfer-encoding: chunked'], 'zz\r\n{}\r\n0\r\n\r\n')),
  attack('a chunk size of 2^64', 400, (path) => post(path, ['transfer-encoding: chunked'], '10000000000000000\r\n{}')),
  attack('a length above the limit', 413, (path) => post(path, ['content-length: 2000000'], '{}')),
  attack('a length above the limit that waits for its 100', 413, (path) =>
    post(path, ['content-length: 2000000', 'expect: 100-continue']),
  ),
  attack('chunks above the limit', 413, (path) =>
    post(path, ['transfer-encoding: chunked'], `${`4000\r\n${'x'.repeat(0x4000)}\r\n`.repeat(80)}0\r\n\r\n`),
  ),
  attack('no body', 401, (path) => post(path, [])),
  attack('another content type', 401, (path) => post(path, ['content-type: text/xml', LENGTH], '{}')),
  attack('a request to become HTTP/2', 401, (path) =>
    post(path, ['connection: upgrade, http2-settings', 'upgrade: h2c', LENGTH], '{}'),
  ),
];

/** The status of the final answer; undefined when the connection ended without one. */
export async function statusOf(port: number, text: string): Promise<number | undefined> {
  const raw = await openRaw(port);
  raw.write(Buffer.from(text, 'latin1'));
  raw.socket.end();
  await raw.ended;
  const lines = raw
    .received()
    .toString('latin1')
    .matchAll(/HTTP\/1\.1 (\d{3})/g);
  return [...lines].map((match) => Number(match[1])).find((status) => status !== 100);
}
