import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf } from '@stockbroker/runtime';

const MAX_BACKOFF_MS = 5_000;

interface Server {
  readonly url: string;
  readonly port: number;
  readonly exited: Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** A PostgreSQL or nats-server of our own, started again on its port when it ends by itself. */
export class EmbeddedServer<S extends Server> {
  readonly #name: string;
  readonly #launch: (port?: number) => Promise<S>;
  readonly #onEvent: (line: string) => void;
  readonly #stopping = new AbortController();
  #current: Promise<S>;

  constructor(name: string, launch: (port?: number) => Promise<S>, onEvent: (line: string) => void) {
    this.#name = name;
    this.#launch = launch;
    this.#onEvent = onEvent;
    this.#current = this.#watched(launch());
    this.#current.catch(() => {}); // `ready` tells.
  }

  /** The first start. */
  ready(): Promise<S> {
    return this.#current;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await (await this.#runningNow())?.stop();
  }

  /** At once, without an orderly end. What was stored stays. */
  async kill(): Promise<void> {
    this.#stopping.abort();
    await (await this.#runningNow())?.kill();
  }

  #runningNow(): Promise<S | undefined> {
    return this.#current.catch(() => undefined);
  }

  async #watched(launched: Promise<S>): Promise<S> {
    const server = await launched;
    void server.exited.then(() => {
      if (this.#stopping.signal.aborted) return;
      this.#current = this.#watched(this.#launchAgain(server.port));
      this.#current.catch(() => {}); // Rejected only by `stop`, which ignores it.
    });
    return server;
  }

  async #launchAgain(port: number): Promise<S> {
    const { signal } = this.#stopping;
    for (let failures = 1; ; failures += 1) {
      const backoffMs = Math.min(MAX_BACKOFF_MS, 50 * 2 ** failures);
      this.#onEvent(`${this.#name} ended; starting again in ${backoffMs} ms`);
      await delay(backoffMs, undefined, { signal });
      try {
        const server = await this.#launch(port);
        this.#onEvent(`${this.#name} runs again`);
        return server;
      } catch (error) {
        this.#onEvent(`${this.#name} did not start: ${reasonOf(error)}`);
      }
    }
  }
}
