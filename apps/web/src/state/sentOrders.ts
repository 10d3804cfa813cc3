import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { type BrokerClient, BrokerError, type Order, type PendingOrder, type Trade } from '@stockbroker/client';
import { errorWords } from '../words.ts';

/** An order of which the broker has not said yet what it is. */
export interface SentOrder {
  order: Required<Order>;
  /**
   * `checking`: it was sent, and the answer was lost; it is sent again as the same order, or looked for. `refused`: it is no trade, and
   * never will be. `elsewhere`: another tab has the answer.
   */
  state: 'sending' | 'checking' | 'refused' | 'elsewhere';
  words: string;
}

const CHECK_AGAIN_MS = 3_000;
/** After this long the customer may have given the order up: the page looks for it, and does not send it again. */
export const MAX_RESEND_AGE_MS = 60_000;

/** Orders from the tap until the broker has answered. Each is a trade once, or refused, whatever happens to this page. */
export class SentOrders {
  /** The answers, until the stream has told of them too. */
  readonly answered = signal<ReadonlyMap<string, Trade>>(new Map());
  readonly #all = signal<ReadonlyMap<string, SentOrder>>(new Map());
  /** Client order ids of refusals that the customer has read. */
  readonly #dismissed = signal<ReadonlySet<string>>(new Set());
  readonly #client: BrokerClient;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isChecking = false;

  constructor(client: BrokerClient) {
    this.#client = client;
  }

  /** What a customer has to know of, newest first. */
  readonly list: ReadonlySignal<SentOrder[]> = computed(() =>
    [...this.#all.value.values()]
      .filter(({ order, state }) => state !== 'elsewhere' && !this.#dismissed.value.has(order.clientOrderId))
      .reverse(),
  );

  /** Of a client order id: how it stands while it is not a trade yet. */
  find(clientOrderId: string): SentOrder | undefined {
    return this.#all.value.get(clientOrderId);
  }

  /** Resolves when the order is a trade, or refused, or its answer is lost. The same id again is the same order. */
  async place(order: Required<Order>): Promise<void> {
    this.#set({ order, state: 'sending', words: 'Sending…' });
    try {
      this.#take(await this.#client.placeTrade(order));
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      const pending = (await this.#client.pendingOrders()).find(({ clientOrderId }) => clientOrderId === order.clientOrderId);
      if (pending !== undefined) this.#doubt(pending);
      else this.#set({ order, state: 'refused', words: errorWords(error) });
    }
  }

  /** Asks for what was sent and never answered: by this page, an earlier one, or another tab. */
  async check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    clearTimeout(this.#timer);
    try {
      const pending = await this.#client.pendingOrders();
      for (const order of pending) if (this.find(order.clientOrderId)?.state !== 'sending') this.#doubt(order);
      this.#leave(pending);
      for (const result of await this.#client.resolvePendingOrders()) {
        if (result.outcome === 'placed') this.#take(result.trade);
        else if (result.outcome === 'refused')
          this.#set({ order: result.order, state: 'refused', words: errorWords(result.error) });
        else if (result.outcome === 'not placed')
          this.#set({
            order: result.order,
            state: 'refused',
            words: 'This order never reached the broker, and is too old to be sent now.',
          });
      }
    } finally {
      this.#isChecking = false;
      if ([...this.#all.value.values()].some(({ state }) => state === 'checking')) this.#later();
    }
  }

  /** The customer has read that it was refused. */
  dismiss(clientOrderId: string): void {
    this.#dismissed.value = new Set(this.#dismissed.value).add(clientOrderId);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.check(), CHECK_AGAIN_MS);
  }

  #take(trade: Trade): void {
    this.answered.value = new Map(this.answered.value).set(trade.orderId, trade);
    this.#remove(trade.clientOrderId);
  }

  #doubt(order: PendingOrder): void {
    const isOld = Date.now() - Date.parse(order.createdAt) > MAX_RESEND_AGE_MS;
    const what = isOld ? 'Asking the broker what became of it…' : 'It is being sent again, as the same order…';
    this.#set({ order, state: 'checking', words: `The answer was lost. ${what}` });
    this.#later();
  }

  /** What is pending no more, though nobody here was told, was answered to another tab, which shares the journal. */
  #leave(pending: readonly PendingOrder[]): void {
    for (const sent of this.#all.value.values()) {
      if (sent.state !== 'checking' || pending.some(({ clientOrderId }) => clientOrderId === sent.order.clientOrderId)) continue;
      this.#set({
        ...sent,
        state: 'elsewhere',
        words: 'Another tab has the answer. If the order was placed, it is among your orders.',
      });
    }
  }

  #set(sent: SentOrder): void {
    this.#all.value = new Map(this.#all.value).set(sent.order.clientOrderId, sent);
  }

  #remove(clientOrderId: string): void {
    const rest = new Map(this.#all.value);
    rest.delete(clientOrderId);
    this.#all.value = rest;
  }
}
