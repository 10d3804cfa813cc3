const FRAME_MS = 100;
/** Bytes that may wait for a reader who takes nothing. */
const MAX_WAITING = 1_024 * 1_024;

/** Lines of progress with a live line below them on a terminal. Elsewhere only the lines, so that a log stays readable. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  #status: (() => string) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  get isLive(): boolean {
    return this.#out.isTTY === true && process.env.TERM !== 'dumb';
  }

  /** Seconds since this process was started, e.g. "1.24 s". */
  elapsed(): string {
    return `${(performance.now() / 1_000).toFixed(2)} s`;
  }

  /** One line that stays. */
  line(text: string): void {
    if (this.#out.writableLength > MAX_WAITING) return;
    this.#erase();
    this.#out.write(`${text}\n`);
    this.#draw();
  }

  /** What the live line says from now on, asked ten times a second. */
  live(status: () => string): void {
    if (!this.isLive) return;
    this.#status = status;
    this.#timer ??= setInterval(() => {
      this.#erase();
      this.#draw();
    }, FRAME_MS);
    this.#timer.unref();
    this.#draw();
  }

  /** Takes the live line away. */
  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#erase();
    this.#status = undefined;
  }

  #draw(): void {
    if (this.#status !== undefined) this.#out.write(this.#status().slice(0, (this.#out.columns || 80) - 1));
  }

  #erase(): void {
    if (this.#status !== undefined) this.#out.write('\r\u001b[K');
  }
}
