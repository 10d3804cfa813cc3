import type { Clock, CustomerNews, WatchingStore } from '../ports.ts';
import { WOKEN } from '../woken.ts';

export interface ChangesPorts {
  store: Pick<WatchingStore, 'readNewRevisions'>;
  news: CustomerNews;
  clock: Clock;
  /** Told when the store could not be asked; it is asked again. */
  onProblem: (error: unknown) => void;
}

/** One watcher's ear for one customer. */
export interface Following {
  /** True as soon as the customer has a revision beyond `seen`; false after `timeoutMs`, or when the watcher's signal aborts. */
  beyond(seen: number, timeoutMs: number): Promise<boolean>;
  stop(): void;
}

interface Customer {
  /** The highest revision that was heard of. */
  revision: number;
  followers: number;
  /** Those that wait, with what they have seen. */
  readonly waiting: Map<AbortController, number>;
  subscription: { stop(): Promise<void> } | undefined;
}

/** News that were lost are made good within this time and that of a statement. */
const ASK_MS = 500;
/** Customers asked for in one statement. */
const ASK_CUSTOMERS = 1_000;
const HIGHEST_REVISION = 2 ** 31 - 1;

/**
 * When watched customers change: told by news at once, and asked of the store twice a second for all of them together, because news
 * may be lost. One number is all that is kept of a customer.
 */
export class Changes {
  readonly #ports: ChangesPorts;
  readonly #customers = new Map<string, Customer>();
  readonly #stopped = new AbortController();
  #asking: Promise<void> | undefined;

  constructor(ports: ChangesPorts) {
    this.#ports = ports;
  }

  /** Customers that somebody follows. */
  get customers(): number {
    return this.#customers.size;
  }

  /** @param signal of the watcher */
  follow(customerId: string, signal: AbortSignal): Following {
    const customer = this.#customers.get(customerId) ?? this.#add(customerId);
    customer.followers += 1;
    this.#asking ??= this.#ask();
    let isStopped = false;
    let answered: number | undefined;
    let waiting: AbortController | undefined;
    const wake = () => waiting?.abort(WOKEN);
    signal.addEventListener('abort', wake);
    return {
      beyond: async (seen, timeoutMs) => {
        // Told of a revision that the store then did not have: wrong news hide nothing, and it is not asked without end.
        if (seen === answered) {
          customer.revision = seen;
          await this.#ports.clock.sleep(ASK_MS, signal);
        }
        if (customer.revision <= seen && !signal.aborted) {
          waiting = new AbortController();
          customer.waiting.set(waiting, seen);
          await this.#ports.clock.sleep(timeoutMs, waiting.signal);
          customer.waiting.delete(waiting);
        }
        const isBeyond = customer.revision > seen && !signal.aborted;
        answered = isBeyond ? seen : undefined;
        return isBeyond;
      },
      stop: () => {
        if (isStopped) return;
        isStopped = true;
        signal.removeEventListener('abort', wake);
        customer.followers -= 1;
        if (customer.followers > 0) return;
        this.#customers.delete(customerId);
        void customer.subscription?.stop();
      },
    };
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#asking;
  }

  #add(customerId: string): Customer {
    const customer: Customer = { revision: 0, followers: 0, waiting: new Map(), subscription: undefined };
    this.#customers.set(customerId, customer);
    customer.subscription = this.#ports.news.onCustomerChanged(customerId, (revision) => {
      if (isRevision(revision)) tell(customer, revision);
    });
    return customer;
  }

  async #ask(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#ports.clock.sleep(ASK_MS, this.#stopped.signal);
      const known = [...this.#customers].map(([customerId, { revision }]) => ({ customerId, revision }));
      for (let i = 0; i < known.length && !this.#stopped.signal.aborted; i += ASK_CUSTOMERS) {
        try {
          const changed = await this.#ports.store.readNewRevisions(known.slice(i, i + ASK_CUSTOMERS));
          for (const { customerId, revision } of changed) {
            const customer = this.#customers.get(customerId);
            if (customer !== undefined) tell(customer, revision);
          }
        } catch (error) {
          this.#ports.onProblem(error);
        }
      }
    }
  }
}

/** What the store could have: anything else would break the question that is asked for a thousand customers together. */
function isRevision(heard: number): boolean {
  return Number.isInteger(heard) && heard >= 0 && heard <= HIGHEST_REVISION;
}

function tell(customer: Customer, revision: number): void {
  if (!(revision > customer.revision)) return;
  customer.revision = revision;
  for (const [woken, seen] of customer.waiting) if (seen < revision) woken.abort(WOKEN);
}
