import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { type HttpAnswer, headerOf } from '../http/listener.ts';

/** Less is sent as it is: it fits into the packet that is sent anyway. */
const LEAST_BYTES = 1_024;
const zip = promisify(gzip);

/** @returns undefined when it is too small to be worth it */
export async function zipped(bytes: Buffer | string): Promise<Buffer | undefined> {
  if (Buffer.byteLength(bytes) <= LEAST_BYTES) return undefined;
  return zip(bytes, { level: constants.Z_BEST_SPEED });
}

/** The answer with its body compressed as a whole, which HTTP clients undo by themselves. */
export async function withContentEncoding(requestHeaders: IncomingHttpHeaders, answer: HttpAnswer): Promise<HttpAnswer> {
  const headers = { ...answer.headers, vary: 'accept-encoding, origin' };
  const accepted = acceptedEncodings(headerOf(requestHeaders, 'accept-encoding'));
  const isPacked = answer.headers['grpc-encoding'] !== undefined;
  const body = isPacked || !accepted.has('gzip') ? undefined : await zipped(answer.body);
  if (body === undefined) return { ...answer, headers };
  return { ...answer, headers: { ...headers, 'content-encoding': 'gzip' }, body };
}

/** @param header of encodings, each perhaps with its quality: those of quality 0 are not wanted */
export function acceptedEncodings(header = ''): Set<string> {
  const named = header.split(',').map((each) =>
    each
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/),
  );
  return new Set(named.filter(([, quality]) => !/^q=0(\.0*)?$/.test(quality ?? '')).map(([name = '']) => name));
}
