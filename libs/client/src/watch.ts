import { type Backoff, wait, waitMs } from './backoff.ts';
import { BrokerError, type Code, toBrokerError } from './brokerError.ts';
import type { Network } from './network.ts';
import { type Observable, Observed } from './observable.ts';

/** `reconnecting`: what is shown may be old, and a new connection is being tried for. `offline`: this machine has no network. */
export type ConnectionState = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'closed';

export interface WatchOptions {
  /** The server gives a sign of life every 10 s: a stream that is silent for this long is dead, milliseconds. */
  silenceMs: number;
  backoff: Backoff;
  network: Network;
}

/** What a stream is made of. */
interface Source<M, T> {
  /** Opens the stream; also again, from where it was. */
  open(signal: AbortSignal): AsyncIterable<M>;
  /** Takes a message. @returns what to tell of it; 'nothing'; or 'again' when the stream must be begun anew */
  take(message: M): { tell: T } | 'nothing' | 'again';
}

/** Failures that stay: asking again cannot help. */
const LASTING: readonly Code[] = [
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
  'NOT_FOUND',
  'INVALID_ARGUMENT',
  'UNIMPLEMENTED',
  'FAILED_PRECONDITION',
  'OUT_OF_RANGE',
  'ALREADY_EXISTS',
];

/**
 * A stream that goes on by itself: whenever it ends, breaks or falls silent it is opened again. It throws a BrokerError only for what
 * stays, such as a token that is no longer good. For one reader.
 */
export class Watch<M, T> implements AsyncIterable<T> {
  readonly #source: Source<M, T>;
  readonly #options: WatchOptions;
  readonly #connection = new Observed<ConnectionState>('connecting');
  readonly #closed = new AbortController();
  #heardAt: Date | undefined;
  /** Ends the attempt under way, or the wait for the next. */
  #interrupt = new AbortController();

  constructor(source: Source<M, T>, options: WatchOptions) {
    this.#source = source;
    this.#options = options;
  }

  get connection(): Observable<ConnectionState> {
    return this.#connection;
  }

  /** When the last message came, by this machine's clock, a sign of life also: what was told is what the broker knew then. */
  get heardAt(): Date | undefined {
    return this.#heardAt;
  }

  /** Ends it; whoever waits for the next value is told that there is none. */
  close(): void {
    this.#closed.abort();
    this.#connection.set('closed');
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    const { network, backoff } = this.#options;
    const unsubscribe = network.onChange(() => this.#interrupt.abort());
    let failures = 0;
    try {
      while (!this.#closed.signal.aborted) {
        let failure: unknown;
        let heardAt: number | undefined;
        try {
          for await (const told of this.#attempt()) {
            heardAt ??= performance.now();
            if (told !== 'nothing') yield told.tell;
          }
        } catch (error) {
          failure = toBrokerError(error);
        }
        if (this.#closed.signal.aborted) return;
        if (failure !== undefined && !mayPass(failure, heardAt !== undefined)) throw failure;
        // One that breaks each time right after its first message is as broken as one that has none.
        if (heardAt !== undefined && performance.now() >= heardAt + backoff.maxMs) failures = 0;
        this.#connection.set(network.isOnline() ? 'reconnecting' : 'offline');
        await this.#rest(waitMs(failures, failure, backoff));
        failures += 1;
      }
    } finally {
      unsubscribe();
      this.close();
    }
  }

  /** One stream, until it ends or must be begun anew. @throws whatever broke it */
  async *#attempt(): AsyncGenerator<{ tell: T } | 'nothing'> {
    this.#interrupt = new AbortController();
    const signal = AbortSignal.any([this.#closed.signal, this.#interrupt.signal]);
    const watchdog = () => setTimeout(() => this.#interrupt.abort(), this.#options.silenceMs);
    let timer = watchdog();
    try {
      for await (const message of this.#source.open(signal)) {
        clearTimeout(timer);
        const told = this.#source.take(message);
        if (told === 'again') return;
        this.#heardAt = new Date();
        this.#connection.set('live');
        yield told;
        timer = watchdog();
      }
    } finally {
      clearTimeout(timer);
      this.#interrupt.abort();
    }
  }

  /** Until the next attempt; a network that comes back ends it at once. */
  async #rest(ms: number): Promise<void> {
    this.#interrupt = new AbortController();
    const signal = AbortSignal.any([this.#closed.signal, this.#interrupt.signal]);
    await wait(ms, signal).catch(() => {}); // Woken: that is what it is for.
  }
}

/**
 * What is no BrokerError is a bug, and stays one.
 *
 * @param hasHeard the stream had begun: then its token was good and has ended, and the next attempt asks for another
 */
function mayPass(error: unknown, hasHeard: boolean): boolean {
  return error instanceof BrokerError && (!LASTING.includes(error.code) || (hasHeard && error.code === 'UNAUTHENTICATED'));
}
