/** A wake-up in the stream, until it is acknowledged. */
interface Message {
  customerId: string;
  /** Not delivered, or not again, before. */
  notBeforeMs: number;
}

type TakeWakeup = (customerId: string, ack: () => void) => void;
type TakeChanged = (revision: number) => void;
type TakeSettled = (customerId: string, tradeId: string) => void;

const ACK_WAIT_MS = 60_000;

/** NATS in memory: a work queue of wake-ups for each partition, and news of settled trades for whoever listens. */
export class MemoryBus {
  readonly #now: () => number;
  readonly #queues = new Map<number, Message[]>();
  readonly #takers = new Map<number, Set<TakeWakeup>>();
  readonly #listeners = new Map<number, Set<TakeSettled>>();
  readonly #watchers = new Map<string, Set<TakeChanged>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  publishWakeup(partition: number, customerId: string): void {
    const queue = this.#queues.get(partition) ?? [];
    this.#queues.set(partition, queue);
    queue.push({ customerId, notBeforeMs: 0 });
    this.#deliver(partition);
  }

  publishSettled(partition: number, customerId: string, tradeId: string): void {
    for (const listen of this.#listeners.get(partition) ?? []) listen(customerId, tradeId);
  }

  publishChanged(customerId: string, revision: number): void {
    for (const listen of this.#watchers.get(customerId) ?? []) listen(revision);
  }

  /** Of several takers the first gets every message: they share one consumer. */
  takeWakeups(partition: number, take: TakeWakeup): () => void {
    const takers = subscribe(this.#takers, partition, take);
    this.#deliver(partition);
    return () => takers.delete(take);
  }

  listenSettled(partition: number, listen: TakeSettled): () => void {
    const listeners = subscribe(this.#listeners, partition, listen);
    return () => listeners.delete(listen);
  }

  listenChanged(customerId: string, listen: TakeChanged): () => void {
    const listeners = subscribe(this.#watchers, customerId, listen);
    return () => listeners.delete(listen);
  }

  /** All messages are lost, and all subscriptions with their consumers. */
  wipe(): void {
    this.#queues.clear();
    this.#takers.clear();
  }

  #deliver(partition: number): void {
    const [take] = this.#takers.get(partition) ?? [];
    const queue = this.#queues.get(partition);
    if (take === undefined || queue === undefined) return;
    for (const message of [...queue]) {
      if (message.notBeforeMs > this.#now()) continue;
      message.notBeforeMs = this.#now() + ACK_WAIT_MS;
      take(message.customerId, () => {
        const i = queue.indexOf(message);
        if (i >= 0) queue.splice(i, 1);
      });
    }
  }
}

function subscribe<K, T>(subscriptions: Map<K, Set<T>>, subject: K, subscriber: T): Set<T> {
  const all = subscriptions.get(subject) ?? new Set<T>();
  subscriptions.set(subject, all);
  all.add(subscriber);
  return all;
}
