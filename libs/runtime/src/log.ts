import { destination, type Logger, pino, stdTimeFunctions } from 'pino';

export type Log = Logger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** JSON lines on standard output. Lines about a trade carry `tradeId` and `customerId`. */
export function createLog(app: string, level: string): Log {
  stdout ??= gathered(1);
  return pino({ name: app, level, timestamp: stdTimeFunctions.isoTime }, stdout);
}

let stdout: ReturnType<typeof gathered> | undefined;

/** So many characters do not wait for the end of the turn. */
const PIECE = 8_192;

/**
 * Writes without waiting. Lines of the same turn of the event loop go to pino's own stream together, because it measures all that it
 * holds whenever it is given something: line by line, that was a fifth of all that the broker allocated (docs/performance.md).
 */
export function gathered(fd: number) {
  const out = destination({ fd, sync: false });
  let lines = '';
  const take = () => {
    const taken = lines;
    lines = '';
    return taken;
  };
  const handOn = () => {
    if (lines !== '') out.write(take());
  };
  /** The stream would begin to write without waiting. */
  const writePast = () => {
    if (lines !== '') destination({ fd, sync: true }).write(take());
  };
  const stream = {
    write: (line: string) => {
      if (lines === '') setImmediate(handOn);
      lines += line;
      if (lines.length >= PIECE) handOn();
    },
    flush: (done?: (error?: Error) => void) => {
      handOn();
      out.flush(done);
    },
    flushSync: () => {
      out.flushSync();
      writePast();
    },
  };
  process.once('exit', writePast); // After pino has flushed what its stream has.
  return stream;
}
