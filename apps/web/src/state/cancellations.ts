import { type ReadonlySignal, signal } from '@preact/signals';
import { type BrokerClient, BrokerError } from '@stockbroker/client';
import { cancelErrorWords } from '../words.ts';

/** What the customer has asked to cancel. That a trade is canceled is told by the stream, as every end. */
export class Cancellations {
  /** By order id: what is to be said of it until the stream has told. */
  readonly words: ReadonlySignal<ReadonlyMap<string, string>>;
  readonly #words = signal<ReadonlyMap<string, string>>(new Map());
  readonly #asking = new Set<string>();
  readonly #client: BrokerClient;

  constructor(client: BrokerClient) {
    this.#client = client;
    this.words = this.#words;
  }

  /** Whether it is canceled now; otherwise the words say why not. Asked again and again while no answer comes. */
  async cancel(orderId: string): Promise<boolean> {
    if (this.#asking.has(orderId)) return false; // The second tap of two.
    this.#asking.add(orderId);
    this.#say(orderId, 'Canceling…');
    try {
      await this.#client.cancelTrade(orderId);
      this.#say(orderId, 'Canceled.');
      return true;
    } catch (error) {
      this.#say(orderId, cancelErrorWords(error));
      if (!(error instanceof BrokerError)) throw error;
      return false;
    } finally {
      this.#asking.delete(orderId);
    }
  }

  #say(orderId: string, words: string): void {
    this.#words.value = new Map(this.#words.value).set(orderId, words);
  }
}
