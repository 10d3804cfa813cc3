import type { Evidence, Violation } from './evidence.ts';

const CHECK = 'errors';
/** The server has met something that its code does not provide for. Connections that break are UNAVAILABLE or CANCELLED. */
const NEVER = ['UNKNOWN', 'UNIMPLEMENTED', 'DATA_LOSS', 'UNAUTHENTICATED', 'PERMISSION_DENIED'];

/** Whatever was broken, clients are told what they can act upon: nothing unexpected, and no trade that they placed is unknown. */
export function checkErrors({ clientLog }: Evidence): Violation[] {
  return clientLog.flatMap(({ customerId, method, gateway, answer }) => {
    if (answer.kind !== 'error') return [];
    const isUnexpected =
      NEVER.includes(answer.code) || (answer.code === 'INTERNAL' && answer.message.startsWith('something unexpected'));
    const isLost = method !== 'PlaceTrade' && answer.code === 'NOT_FOUND';
    if (!isUnexpected && !isLost) return [];
    return [{ check: CHECK, message: `${method} of ${customerId} at ${gateway}: ${answer.code} ${answer.message}`, customerId }];
  });
}
