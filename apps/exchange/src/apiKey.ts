import { createHash, timingSafeEqual } from 'node:crypto';
import { type CallContext, RpcError, Status } from '@stockbroker/rpc';

/** Lets a call pass that carries the key. @throws RpcError UNAUTHENTICATED */
export type Authorize = (context: CallContext) => void;

/** Compares hashes, in constant time, so that an answer's time tells neither the key's length nor its beginning. */
export function requireApiKey(apiKey: string): Authorize {
  const expected = hash(`Bearer ${apiKey}`);
  return (context) => {
    const given = context.header('authorization');
    if (given === undefined || !timingSafeEqual(hash(given), expected)) {
      throw new RpcError(Status.UNAUTHENTICATED, 'send the API key as "authorization: Bearer <key>"');
    }
  };
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
