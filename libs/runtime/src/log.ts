import { type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { LineWriter } from './lineWriter.ts';
import { reasonsOf } from './reasonOf.ts';

export type Log = Logger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/**
 * JSON lines on standard output. Lines about a trade carry `tradeId` and `customerId`.
 *
 * @param onDropped told of lines that standard output did not take; once it does again, a line says how many those were
 */
export function createLog(app: string, level: string, onDropped?: (lines: number) => void): Log {
  stdout ??= new LineWriter(1, {
    dropped: (lines) => watcher?.onDropped(lines),
    back: (lines) => watcher?.log.error({ lines }, 'log lines were dropped: standard output did not take them'),
  });
  const log = pino({ name: app, level, timestamp: stdTimeFunctions.isoTime, serializers: { err: serialized } }, stdout);
  if (onDropped !== undefined) watcher = { log, onDropped };
  return log;
}

let stdout: LineWriter | undefined;
let watcher: { log: Log; onDropped(lines: number): void } | undefined;

/** As pino does it, which says twice what a message has of its cause. */
function serialized(error: Error) {
  return error instanceof Error ? { ...stdSerializers.err(error), message: reasonsOf(error) } : error;
}
