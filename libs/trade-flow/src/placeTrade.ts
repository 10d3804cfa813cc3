import { describePlacingRefusal, isSameOrder, partitionOf, type Trade, type TradeOrder, uuidV7 } from '@stockbroker/trading';
import type { Clock, Observe, PlacingStore, Random, Wakeups } from './ports.ts';

export interface PlacePorts {
  store: PlacingStore;
  wakeups: Pick<Wakeups, 'tradePlaced'>;
  clock: Clock;
  random: Random;
  observe: Observe;
}

/** The client order id names an existing trade with other content. */
export class ClientOrderIdUsedError extends Error {
  readonly existing: Trade;

  constructor(existing: Trade) {
    super(`client_order_id ${existing.clientOrderId} was used for another trade: ${existing.id}`);
    this.name = 'ClientOrderIdUsedError';
    this.existing = existing;
  }
}

/** The customer has no balance at this broker. */
export class NoAccountError extends Error {
  constructor(customerId: string) {
    super(`customer ${customerId} has no account`);
    this.name = 'NoAccountError';
  }
}

/** The customer has as many open trades as are allowed: some must end, or be canceled, before another one is placed. */
export class TooManyOpenTradesError extends Error {
  readonly open: number;
  readonly limit: number;

  constructor({ open, limit }: { open: number; limit: number }) {
    super(describePlacingRefusal({ code: 'TOO_MANY_OPEN_TRADES', open, limit }));
    this.name = 'TooManyOpenTradesError';
    this.open = open;
    this.limit = limit;
  }
}

/**
 * Stores a valid order as a placed trade, then wakes its partition. When this resolves the trade is durable; the wake-up may be
 * lost, the partition's leader finds the trade by itself.
 *
 * @returns the new trade, or for a retry the existing one as it stands now
 * @throws ClientOrderIdUsedError, NoAccountError, TooManyOpenTradesError, StoreUnavailableError
 */
export async function placeTrade(ports: PlacePorts, partitions: number, order: TradeOrder, signal?: AbortSignal): Promise<Trade> {
  const id = uuidV7(ports.clock.now(), ports.random.bytes(10));
  const result = await ports.store.insertTrade({ ...order, id, partition: partitionOf(order.customerId, partitions) }, signal);
  switch (result.kind) {
    case 'inserted':
      ports.observe({ kind: 'placed', trade: result.trade });
      ports.wakeups.tradePlaced(result.trade);
      return result.trade;
    case 'existing':
      return retried(ports, order, result.trade);
    case 'no-account':
      throw new NoAccountError(order.customerId);
    case 'too-many-open':
      throw new TooManyOpenTradesError(result);
  }
}

/** The trade that a client order id names, if there is one. */
export interface RetriedStore {
  findTrade(named: { customerId: string; clientOrderId: string }): Promise<Trade | null>;
}

/**
 * For an order that may not be placed as the world is now, e.g. of a ticker that is listed no more: it may be the retry of one that
 * was placed before.
 *
 * @returns the existing trade as it stands now, or null: there is none
 * @throws ClientOrderIdUsedError, StoreUnavailableError
 */
export async function findRetried(
  ports: Pick<PlacePorts, 'wakeups' | 'observe'> & { store: RetriedStore },
  order: TradeOrder,
): Promise<Trade | null> {
  const existing = await ports.store.findTrade(order);
  return existing === null ? null : retried(ports, order, existing);
}

/** @throws ClientOrderIdUsedError */
function retried(ports: Pick<PlacePorts, 'wakeups' | 'observe'>, order: TradeOrder, existing: Trade): Trade {
  if (!isSameOrder(order, existing)) throw new ClientOrderIdUsedError(existing);
  ports.observe({ kind: 'retried', trade: existing });
  // Whoever placed it may have died before the wake-up.
  if (existing.status === 'placed') ports.wakeups.tradePlaced(existing);
  return existing;
}
