import type { NatsConnection } from '@nats-io/transport-node';
import type { Log } from '@stockbroker/runtime';
import { connectNats } from './connectNats.ts';
import type { NatsConfig } from './variables.ts';

interface LinkOptions {
  config: NatsConfig;
  name: string;
  log: Log;
  fail: (error: Error) => void;
}

/** The same words again are logged after this long at the earliest: a refused process tries several times a second. */
const REPEAT_LOG_MS = 30_000;

/** The process's one connection, what is wrong with it, and its end. */
export class NatsLink {
  readonly connection: Promise<NatsConnection>;
  readonly #log: Log;
  readonly #fail: (error: Error) => void;
  readonly #onReconnected: () => void;
  #open: NatsConnection | undefined;
  #connected = false;
  #closing = false;
  #problem: string | undefined = 'not connected';
  #logged = { problem: '', atMs: Number.NEGATIVE_INFINITY };

  constructor({ config, name, log, fail }: LinkOptions, onReconnected: () => void) {
    this.#log = log;
    this.#fail = fail;
    this.#onReconnected = onReconnected;
    this.connection = connectNats(config, name, (error) => this.#failed(error));
    void this.connection.then((connection) => this.#follow(connection));
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#open?.close();
  }

  async #follow(connection: NatsConnection): Promise<void> {
    this.#open = connection;
    this.#connected = true;
    this.#problem = undefined;
    void connection.closed().then((error) => this.#ended(error));
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') {
        // Said of each attempt that fails, too: then what was wrong with it is known already.
        if (this.#connected) this.#log.warn('NATS disconnected');
        this.#connected = false;
        this.#problem ??= 'not connected';
      } else if (status.type === 'reconnect') {
        this.#connected = true;
        this.#problem = undefined;
        this.#log.info('NATS reconnected');
        this.#onReconnected();
      } else if (status.type === 'error') {
        this.#failed(status.error);
      }
    }
  }

  /** An attempt to connect, or the server has refused something on a connection that stays. */
  #failed(error: unknown): void {
    const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (!this.#connected) this.#problem = `not connected: ${problem}`;
    const nowMs = performance.now();
    if (problem === this.#logged.problem && nowMs - this.#logged.atMs < REPEAT_LOG_MS) return;
    this.#logged = { problem, atMs: nowMs };
    this.#log.warn({ problem }, this.#connected ? 'NATS refuses' : 'NATS does not let us in, trying again');
  }

  /** A client that was closed never connects again. Nobody but `close` may end it. */
  #ended(error: unknown): void {
    this.#connected = false;
    if (this.#closing) return;
    this.#problem = 'the connection has ended for good';
    this.#fail(new Error('The NATS client has given up: only a restart connects again.', { cause: error }));
  }
}
