import type { TradeType } from '@stockbroker/rpc/stockbroker';

/** An order that was about to be sent, and of which it is not known yet what became of it. */
export interface PendingOrder {
  clientOrderId: string;
  stockTicker: string;
  type: TradeType;
  quantity: number;
  /** Absent in journals of before: no. */
  queueForOpen: boolean;
  /** When it was stored, by this machine's clock; ISO 8601. */
  createdAt: string;
}

/**
 * Where orders are kept from before they are sent until their answer is known. One journal is one customer's: what is in it is sent
 * again in the name of whoever uses it next.
 */
export interface OrderJournal {
  /** Stores it, or the same again. Nothing is sent when it fails. */
  put(order: PendingOrder): void | Promise<void>;
  remove(clientOrderId: string): void | Promise<void>;
  list(): PendingOrder[] | Promise<PendingOrder[]>;
  /** Where programs share it: runs this when none of the others works at that order. A journal without it is one program's at a time. */
  exclusively?<T>(clientOrderId: string, run: () => Promise<T>): Promise<T>;
}

/** Lost with the process: safe against lost answers, not against a crash. */
export function memoryJournal(): OrderJournal {
  const orders = new Map<string, PendingOrder>();
  return {
    put: (order) => void orders.set(order.clientOrderId, order),
    remove: (clientOrderId) => void orders.delete(clientOrderId),
    list: () => [...orders.values()],
  };
}

/** The part of the browser's Storage that is used. */
export interface WebStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** The part of the browser's Web Locks that is used. */
export interface WebLocks {
  request<T>(name: string, run: () => Promise<T>): Promise<T>;
}

/**
 * In the browser's localStorage, which outlives the page and is shared by its tabs: each order has an item of its own, so that tabs
 * do not overwrite each other's, and a lock, so that one tab at a time sends it or looks for it.
 *
 * @param locks browsers have none where the page came without https; then one id is one trade all the same, but a tab may be told
 * what an order is while another is sending it
 */
export function storageJournal(storage: WebStorage, customerId: string, locks = thisDevicesLocks()): OrderJournal {
  const prefix = `stockbroker.order.${customerId}.`;
  const keys = () =>
    Array.from({ length: storage.length }, (_, i) => storage.key(i)).filter((key) => key?.startsWith(prefix) === true);
  return {
    put: (order) => storage.setItem(prefix + order.clientOrderId, JSON.stringify(order)),
    remove: (clientOrderId) => storage.removeItem(prefix + clientOrderId),
    list: () =>
      keys()
        .map((key) => storage.getItem(key ?? ''))
        .filter((text) => text !== null)
        .map((text) => JSON.parse(text) as PendingOrder)
        .sort((a, b) => a.createdAt.localeCompare(b.createdAt)),
    ...(locks === undefined ? {} : { exclusively: (clientOrderId, run) => locks.request(prefix + clientOrderId, run) }),
  };
}

function thisDevicesLocks(): WebLocks | undefined {
  return (globalThis as { navigator?: { locks?: WebLocks } }).navigator?.locks;
}
