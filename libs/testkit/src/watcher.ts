import type { RpcClient } from '@stockbroker/rpc';
import type { TradesChange, TradesSnapshot, TradingServiceDefinition, WatchTradesResponse } from '@stockbroker/rpc/stockbroker';
import { eventually } from './eventually.ts';

/** A stream of a customer's changes, with all that it has told. */
export class Watcher {
  readonly events: NonNullable<WatchTradesResponse['event']>[] = [];
  /** How the stream ended; undefined while it stands. */
  ended: { error: unknown } | undefined;
  readonly #abort = new AbortController();
  readonly #finished: Promise<void>;

  constructor(client: RpcClient<typeof TradingServiceDefinition>, afterRevision: number) {
    this.#finished = this.#follow(client, afterRevision);
  }

  get changes(): TradesChange[] {
    return this.events.flatMap((event) => (event.$case === 'change' ? [event.value] : []));
  }

  get snapshots(): TradesSnapshot[] {
    return this.events.flatMap((event) => (event.$case === 'snapshot' ? [event.value] : []));
  }

  /** The last revision told. */
  get revision(): number {
    return Number(this.events.at(-1)?.value.revision ?? 0n);
  }

  /** Waits until what the stream has told suffices. */
  async until(what: string, isEnough: (watcher: Watcher) => boolean): Promise<this> {
    await eventually(async () => this, isEnough, { what, everyMs: 5 });
    return this;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#finished;
  }

  async #follow(client: RpcClient<typeof TradingServiceDefinition>, afterRevision: number): Promise<void> {
    try {
      const options = { signal: this.#abort.signal };
      for await (const { event } of client.watchTrades({ afterRevision: BigInt(afterRevision) }, options)) {
        if (event !== undefined) this.events.push(event);
      }
      this.ended = { error: undefined };
    } catch (error) {
      this.ended = { error };
    }
  }
}
