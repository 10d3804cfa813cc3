import { fstatSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** So many characters do not wait for the end of the turn. */
const PIECE = 8_192;
/** Characters that may wait for a reader or a disk, about as many as a process logs in ten busy seconds. Later lines are dropped. */
const MAX_WAITING = 4 * 1_024 * 1_024;
/** A pipe that is full is tried again so soon, and later and later. Polling it would need libuv's own queue, which cannot be emptied on the way out. */
const RETRY_MS = 1;
const MAX_RETRY_MS = 64;
/** A reader that takes nothing for so long does not keep a process from ending. */
const FLUSH_MS = 1_000;
const FLUSH_SYNC_MS = 200;

const NEWLINE = 0x0a;

export interface LineWatch {
  /** So many lines were dropped just now. */
  dropped(lines: number): void;
  /** A line was written again, after so many were dropped. */
  back(lines: number): void;
}

/**
 * Writes whole lines to a file descriptor and never waits for it: not for a full disk, a pipe that nobody reads, or one whose reader
 * has gone. What cannot be written, or would have to wait with too much else, is dropped and counted.
 *
 * Lines of the same turn of the event loop are written together: line by line, that was a fifth of all that the broker allocated
 * (docs/performance.md).
 *
 * A write to a pipe waits in the kernel while that is full. In Node's thread pool that would take one of its threads, and a process
 * cannot exit while one waits; so pipes and sockets are made non-blocking, and written to from here.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #watch: LineWatch;
  /** Set for a pipe or a socket. Only kept: opening it has made the descriptor non-blocking. */
  readonly #pipe: Socket | undefined;
  /** Not begun. */
  #lines = '';
  /** Begun, from `#done` on. A file's is in the thread pool. */
  #piece: Buffer | undefined;
  #done = 0;
  /** The last line written has no end, because the disk was full. */
  #isTorn = false;
  #lost = 0;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RETRY_MS;
  #flushed: (() => void)[] = [];

  constructor(fd: number, watch: LineWatch) {
    this.#fd = fd;
    this.#watch = watch;
    const kind = fstatSync(fd);
    if (kind.isFIFO() || kind.isSocket()) this.#pipe = new Socket({ fd, readable: false, writable: true });
    process.once('exit', () => this.flushSync());
  }

  write(line: string): void {
    if (this.#lines.length + line.length > MAX_WAITING) {
      this.#drop(1);
      return;
    }
    if (this.#lines === '') setImmediate(this.#begin);
    this.#lines += line;
    if (this.#lines.length >= PIECE) this.#begin();
  }

  /** Calls back when all is written or dropped, or after a second. */
  flush(done: () => void = () => {}): void {
    const timer = setTimeout(() => this.#endFlush(end), FLUSH_MS);
    const end = () => {
      clearTimeout(timer);
      done();
    };
    this.#flushed.push(end);
    this.#begin();
    this.#tellFlushed();
  }

  /** For the way out. What a pipe does not take within 200 ms stays. */
  flushSync(): void {
    const giveUpAt = performance.now() + FLUSH_SYNC_MS;
    // A file's piece is being written by a thread, which the end of the process waits for.
    if (this.#piece !== undefined && this.#pipe === undefined) this.#writeNow(this.#take(), 0, giveUpAt);
    else {
      if (this.#piece !== undefined) this.#done = this.#writeNow(this.#piece, this.#done, giveUpAt);
      if (this.#done === this.#piece?.length) this.#piece = undefined;
      if (this.#piece !== undefined || this.#lines === '') return;
      this.#piece = this.#take();
      this.#done = this.#writeNow(this.#piece, 0, giveUpAt);
      if (this.#done === this.#piece.length) this.#piece = undefined;
      else this.#retryLater();
    }
  }

  /** @returns how far it is written, or dropped because it never can be */
  #writeNow(bytes: Buffer, from: number, giveUpAt: number): number {
    let done = from;
    while (done < bytes.length) {
      try {
        done += writeSync(this.#fd, bytes, done);
      } catch (error) {
        if (!isFull(error)) {
          this.#fail(bytes, done);
          return bytes.length;
        }
        if (performance.now() > giveUpAt) return done;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
    this.#isTorn = false;
    return done;
  }

  readonly #begin = (): void => {
    if (this.#piece !== undefined || this.#lines === '') return;
    this.#piece = this.#take();
    this.#done = 0;
    this.#goOn();
  };

  #goOn(): void {
    if (this.#pipe === undefined) this.#writeToFile();
    else this.#writeToPipe();
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#goOn();
    }, this.#retryMs);
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
  }

  #take(): Buffer {
    const bytes = Buffer.from(this.#isTorn && this.#lines !== '' ? `\n${this.#lines}` : this.#lines);
    this.#lines = '';
    return bytes;
  }

  #writeToFile(): void {
    const piece = this.#piece;
    if (piece === undefined) return;
    write(this.#fd, piece, this.#done, (error, written) => {
      if (error !== null && !isFull(error)) {
        this.#fail(piece, this.#done);
        this.#next();
        return;
      }
      this.#done += written ?? 0;
      if (error !== null) this.#retryLater();
      else if (this.#done < piece.length) this.#writeToFile();
      else this.#succeed();
    });
  }

  #writeToPipe(): void {
    const piece = this.#piece;
    if (piece === undefined) return; // Written on the way out.
    try {
      while (this.#done < piece.length) {
        this.#done += writeSync(this.#fd, piece, this.#done);
        this.#retryMs = RETRY_MS;
      }
    } catch (error) {
      if (isFull(error)) {
        this.#retryLater();
        return;
      }
      this.#fail(piece, this.#done);
      this.#next();
      return;
    }
    this.#succeed();
  }

  #succeed(): void {
    this.#isTorn = false;
    const lost = this.#lost;
    this.#lost = 0;
    this.#piece = undefined;
    this.#begin(); // Makes room for the line about the others, which a flush has to wait for too.
    if (lost > 0) this.#watch.back(lost);
    this.#tellFlushed();
  }

  #next(): void {
    this.#piece = undefined;
    if (this.#lines !== '') setImmediate(this.#begin);
    this.#tellFlushed();
  }

  #fail(piece: Buffer, done: number): void {
    // The end of a torn line stands first, and is no line of its own.
    const unwritten = piece.subarray(Math.max(done, this.#isTorn ? 1 : 0));
    if (done > 0) this.#isTorn = piece[done - 1] !== NEWLINE;
    let lines = 0;
    for (let at = unwritten.indexOf(NEWLINE); at >= 0; at = unwritten.indexOf(NEWLINE, at + 1)) lines += 1;
    this.#drop(lines);
  }

  #drop(lines: number): void {
    this.#lost += lines;
    this.#watch.dropped(lines);
  }

  #tellFlushed(): void {
    if (this.#piece !== undefined || this.#lines !== '') return;
    for (const done of this.#flushed.splice(0)) done();
  }

  #endFlush(end: () => void): void {
    this.#flushed = this.#flushed.filter((each) => each !== end);
    end();
  }
}

/** Of a pipe, and of a terminal that another process made non-blocking. */
function isFull(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}
