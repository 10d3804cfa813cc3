import type { Trade, TradeType } from '@stockbroker/rpc/stockbroker';
import { type RetryOptions, retrying } from './backoff.ts';
import { BrokerError, type Code } from './brokerError.ts';
import type { TradingCalls } from './calls.ts';
import type { OrderJournal, PendingOrder } from './orderJournal.ts';

export interface Order {
  /** E.g. "AAPL" or "BRK.B". */
  stockTicker: string;
  type: TradeType;
  /** Whole shares. */
  quantity: number;
  /** Your own id of the order, 1 to 64 printable ASCII characters without spaces; by default a random one. */
  clientOrderId?: string;
}

/** What became of an order that was pending. */
export type Resolved =
  | { order: PendingOrder; outcome: 'placed'; trade: Trade }
  | { order: PendingOrder; outcome: 'refused'; error: BrokerError }
  /** It was too old to be sent again, and the broker has never had it. */
  | { order: PendingOrder; outcome: 'not placed' }
  /** Still not known: it stays pending. */
  | { order: PendingOrder; outcome: 'unknown'; error: BrokerError };

export interface OrdersOptions {
  calls: TradingCalls;
  journal: OrderJournal;
  retry: RetryOptions;
  /** A pending order that is older is not sent again, because its owner may not want it any more: it is looked for instead. */
  maxResendAgeMs: number;
}

/** These say that this very attempt has placed nothing. */
const REFUSING: readonly Code[] = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'UNAUTHENTICATED',
];
/** How far this machine's clock and the broker's may be apart. */
const CLOCK_SKEW_MS = 24 * 3_600_000;
const PAGE_SIZE = 500;
const MAX_PAGES = 20;

/** Places orders so that each becomes one trade, whatever is lost on the way: stored, then sent, then forgotten once it is answered. */
export class Orders {
  readonly #options: OrdersOptions;
  /** By client order id: those that this process is sending. */
  readonly #sending = new Map<string, Promise<Trade>>();

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /**
   * The same id while it is being sent is the same order: a double tap places one trade.
   *
   * @throws BrokerError; after CANCELLED, UNAVAILABLE, DEADLINE_EXCEEDED, UNKNOWN, INTERNAL the order may have been placed, and is
   * pending. NOT_STORED: the journal failed, nothing was sent
   */
  place(order: Order): Promise<Trade> {
    const clientOrderId = order.clientOrderId ?? crypto.randomUUID();
    const under = this.#sending.get(clientOrderId);
    if (under !== undefined) return under;
    const { stockTicker, type, quantity } = order;
    const sending = this.#begin({ clientOrderId, stockTicker, type, quantity, createdAt: new Date().toISOString() });
    this.#sending.set(clientOrderId, sending);
    return sending.finally(() => this.#sending.delete(clientOrderId));
  }

  async pending(): Promise<PendingOrder[]> {
    return this.#options.journal.list();
  }

  /** Finds out what became of the pending orders, oldest first: by sending them again under their ids, or by looking for them. */
  async resolve(): Promise<Resolved[]> {
    const resolved: Resolved[] = [];
    for (const order of await this.pending()) {
      if (!this.#sending.has(order.clientOrderId)) resolved.push(await this.#resolveOne(order));
    }
    return resolved;
  }

  async #begin(order: PendingOrder): Promise<Trade> {
    try {
      await this.#options.journal.put(order);
    } catch (error) {
      const message = 'the order could not be stored on this device, and was not sent';
      throw new BrokerError('FAILED_PRECONDITION', message, { reason: 'NOT_STORED' }, { cause: error });
    }
    return this.#send(order, { isInDoubt: false });
  }

  /** @param known isInDoubt: an earlier attempt may have placed it, so that a refusal of this one says nothing about that one */
  async #send(order: PendingOrder, known: { isInDoubt: boolean }): Promise<Trade> {
    const { calls, journal, retry } = this.#options;
    const { stockTicker, type, quantity, clientOrderId } = order;
    let { isInDoubt } = known;
    try {
      const trade = await retrying((options) => calls.placeTrade({ stockTicker, type, quantity, clientOrderId }, options), {
        ...retry,
        onRetry: (error, waitMs) => {
          isInDoubt ||= !REFUSING.includes(error.code);
          retry.onRetry?.(error, waitMs);
        },
      });
      await journal.remove(clientOrderId);
      return trade;
    } catch (error) {
      const isRefused = error instanceof BrokerError && REFUSING.includes(error.code);
      if (isRefused && (!isInDoubt || error.code === 'ALREADY_EXISTS')) await journal.remove(clientOrderId);
      throw error;
    }
  }

  async #resolveOne(order: PendingOrder): Promise<Resolved> {
    const ageMs = Date.now() - Date.parse(order.createdAt);
    const isFresh = ageMs >= 0 && ageMs <= this.#options.maxResendAgeMs;
    try {
      if (!isFresh) return await this.#lookFor(order);
      const sending = this.#send(order, { isInDoubt: true });
      this.#sending.set(order.clientOrderId, sending);
      return { order, outcome: 'placed', trade: await sending.finally(() => this.#sending.delete(order.clientOrderId)) };
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      if (error.code === 'ALREADY_EXISTS') return { order, outcome: 'refused', error };
      if (!isFresh || !REFUSING.includes(error.code) || mayPass(error.code)) return { order, outcome: 'unknown', error };
      return this.#lookFor(order, error).catch((lost: unknown) => {
        if (lost instanceof BrokerError) return { order, outcome: 'unknown', error: lost };
        throw lost;
      });
    }
  }

  /** @param refusal what sending it again was answered with. @throws BrokerError */
  async #lookFor(order: PendingOrder, refusal?: BrokerError): Promise<Resolved> {
    const { calls, journal, retry } = this.#options;
    const earliestMs = Date.parse(order.createdAt) - CLOCK_SKEW_MS;
    let pageToken = '';
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { trades, nextPageToken } = await retrying(
        (options) => calls.listTrades({ pageSize: PAGE_SIZE, pageToken }, options),
        retry,
      );
      const trade = trades.find(({ clientOrderId }) => clientOrderId === order.clientOrderId);
      const isLast = nextPageToken === '' || (trades.at(-1)?.createdAt?.getTime() ?? 0) < earliestMs;
      if (trade !== undefined || isLast) await journal.remove(order.clientOrderId);
      if (trade !== undefined) return { order, outcome: 'placed', trade };
      if (isLast) return refusal === undefined ? { order, outcome: 'not placed' } : { order, outcome: 'refused', error: refusal };
      pageToken = nextPageToken;
    }
    const error = new BrokerError('OUT_OF_RANGE', `the order is not among the latest ${PAGE_SIZE * MAX_PAGES} trades`);
    return { order, outcome: 'unknown', error };
  }
}

/** Refusals that say nothing about the order itself. */
function mayPass(code: Code): boolean {
  return code === 'RESOURCE_EXHAUSTED' || code === 'UNAUTHENTICATED';
}
