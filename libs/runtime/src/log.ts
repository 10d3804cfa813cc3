import { destination, type Logger, pino, stdTimeFunctions } from 'pino';

export type Log = Logger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** JSON lines on standard output. Lines about a trade carry `tradeId` and `customerId`. */
export function createLog(app: string, level: string): Log {
  return pino({ name: app, level, timestamp: stdTimeFunctions.isoTime }, destination({ fd: 1, sync: false }));
}
