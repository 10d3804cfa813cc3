import { SessionPolicy, type Trade, type TradeType } from '@stockbroker/rpc/stockbroker';
import { type RetryOptions, retrying } from './backoff.ts';
import { BrokerError, type Code } from './brokerError.ts';
import type { CallOptions, TradingCalls } from './calls.ts';
import type { OrderJournal, PendingOrder } from './orderJournal.ts';
import { inTurns } from './turns.ts';

export interface Order {
  /** E.g. "AAPL" or "BRK.B". */
  stockTicker: string;
  type: TradeType;
  /** Whole shares. */
  quantity: number;
  /** Outside the session it waits for the next one, instead of being rejected; by default not. */
  queueForOpen?: boolean;
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
  /** By client order id: those that this process is placing. */
  readonly #placing = new Map<string, Promise<Trade>>();
  readonly #inTurn = inTurns();

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /**
   * The same id while it is being placed is the same order: a double tap places one trade. So is the id of a pending order, of which
   * an earlier attempt may have placed it.
   *
   * @throws BrokerError; after CANCELLED, UNAVAILABLE, DEADLINE_EXCEEDED, ABORTED, UNKNOWN, INTERNAL the order may have been placed, and
   * is pending. NOT_STORED: the journal failed, nothing was sent
   */
  place(order: Order): Promise<Trade> {
    const clientOrderId = order.clientOrderId ?? crypto.randomUUID();
    const under = this.#placing.get(clientOrderId);
    if (under !== undefined) return under;
    const { stockTicker, type, quantity, queueForOpen = false } = order;
    const wanted = { clientOrderId, stockTicker, type, quantity, queueForOpen, createdAt: new Date().toISOString() };
    const placing = this.#alone(clientOrderId, () => this.#begin(wanted)).finally(() => this.#placing.delete(clientOrderId));
    this.#placing.set(clientOrderId, placing);
    return placing;
  }

  async pending(): Promise<PendingOrder[]> {
    return this.#options.journal.list();
  }

  /** Finds out what became of the pending orders, oldest first: by sending them again under their ids, or by looking for them. */
  async resolve(): Promise<Resolved[]> {
    const resolved: Resolved[] = [];
    for (const { clientOrderId } of await this.pending()) {
      if (this.#placing.has(clientOrderId)) continue;
      const result = await this.#alone(clientOrderId, async () => {
        const order = await this.#find(clientOrderId);
        return order && this.#resolveOne(order);
      });
      if (result !== undefined) resolved.push(result);
    }
    return resolved;
  }

  /** While others of this process, and of those that share the journal, do not work at that order. */
  #alone<T>(clientOrderId: string, run: () => Promise<T>): Promise<T> {
    const { journal } = this.#options;
    return this.#inTurn(clientOrderId, () => journal.exclusively?.(clientOrderId, run) ?? run());
  }

  async #find(clientOrderId: string): Promise<PendingOrder | undefined> {
    return (await this.pending()).find((order) => order.clientOrderId === clientOrderId);
  }

  async #begin(order: PendingOrder): Promise<Trade> {
    let before: PendingOrder | undefined;
    try {
      before = await this.#find(order.clientOrderId);
      // It is looked for from when it was first sent.
      await this.#options.journal.put({ ...order, createdAt: before?.createdAt ?? order.createdAt });
    } catch (error) {
      const message = 'the order could not be stored on this device, and was not sent';
      throw new BrokerError('FAILED_PRECONDITION', message, { reason: 'NOT_STORED' }, { cause: error });
    }
    return this.#send(order, { isInDoubt: before !== undefined });
  }

  /**
   * @param order as it is wanted: its age counts from createdAt
   * @param known isInDoubt: an earlier attempt may have placed it, so that a refusal of this one says nothing about that one
   */
  async #send(order: PendingOrder, known: { isInDoubt: boolean }): Promise<Trade> {
    const { calls, journal, retry } = this.#options;
    const { stockTicker, type, quantity, clientOrderId } = order;
    const { SESSION_POLICY_QUEUE_FOR_OPEN: QUEUE, SESSION_POLICY_REJECT_WHEN_CLOSED: REJECT } = SessionPolicy;
    const sessionPolicy = order.queueForOpen ? QUEUE : REJECT;
    let { isInDoubt } = known;
    const attempt = (options: CallOptions) => {
      // The time for retries stands still while a machine sleeps, which may be for hours.
      if (this.#isTooOld(order)) throw new BrokerError('ABORTED', 'the order has become too old to be sent again');
      return calls.placeTrade({ stockTicker, type, quantity, clientOrderId, sessionPolicy }, options);
    };
    try {
      const trade = await retrying(attempt, {
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
    const isFresh = Date.parse(order.createdAt) <= Date.now() && !this.#isTooOld(order);
    try {
      if (!isFresh) return await this.#lookFor(order);
      return { order, outcome: 'placed', trade: await this.#send(order, { isInDoubt: true }) };
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

  #isTooOld({ createdAt }: PendingOrder): boolean {
    return Date.now() - Date.parse(createdAt) > this.#options.maxResendAgeMs;
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
