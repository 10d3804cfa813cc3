import { type Log, OverloadedError } from '@stockbroker/runtime';
import { Destination, type DestinationParts } from './destination.ts';
import type { ExchangeMetrics } from './metrics.ts';
import type { CompletedOrder, OrderRecord } from './order.ts';
import type { Senders } from './sendReports.ts';

/** Callback URLs with something owed to them, at once. Idle ones make room. */
const MAX_DESTINATIONS = 1_000;
/** Reports in the memory of all destinations: some 25 MB. */
const MAX_LOADED = 50_000;
/** How long messages on the way are waited for when the process stops. */
const STOP_GRACE_MS = 2_000;

interface ReportsOptions {
  journal: DestinationParts['journal'] & { owedReports(): { url: string; count: number }[] };
  senders: Senders;
  faults: DestinationParts['faults'];
  random: DestinationParts['random'];
  backoff: DestinationParts['backoff'];
  metrics: ExchangeMetrics;
  log: Log;
}

/** Callback delivery: sees to it that each completed order is reported at least once, whatever it takes and however often it restarts. */
export class Reports {
  readonly #options: ReportsOptions;
  readonly #parts: DestinationParts;
  readonly #destinations = new Map<string, Destination>();

  constructor(options: ReportsOptions) {
    this.#options = options;
    const { journal, faults, random, backoff } = options;
    const memory = { loaded: 0, max: MAX_LOADED };
    this.#parts = { journal, faults, random, backoff, memory, onAttempt: (...attempt) => this.#onAttempt(...attempt) };
  }

  /** Takes up what an earlier process left. */
  resume(): void {
    for (const { url, count } of this.#options.journal.owedReports()) {
      const destination = this.#open(url, true);
      destination.owed = count;
      destination.wake();
    }
  }

  /** True for a callback URL in use: it was found good before. */
  knows(url: string): boolean {
    return this.#destinations.has(url);
  }

  /** Orders accepted and not reported, open ones included. */
  owed(): number {
    let owed = 0;
    for (const destination of this.#destinations.values()) owed += destination.owed;
    return owed;
  }

  /**
   * Makes room for orders that report to these URLs.
   *
   * @throws OverloadedError when too many others are owed reports
   */
  admit(urls: Set<string>): void {
    const unknown = [...urls].filter((url) => !this.#destinations.has(url));
    const excess = this.#destinations.size + unknown.length - MAX_DESTINATIONS;
    if (excess > 0) {
      const idle = [...this.#destinations.values()].filter((destination) => destination.idle && !urls.has(destination.url));
      if (idle.length < excess) throw new OverloadedError('callback URLs', 5_000);
      for (const destination of idle.slice(0, excess)) {
        this.#destinations.delete(destination.url);
        void destination.close(0);
      }
    }
    for (const url of unknown) this.#open(url, false);
  }

  /** An order was accepted: once it is complete, `report` follows. */
  owe(order: OrderRecord): void {
    const destination = this.#destinations.get(order.callbackUrl) ?? this.#open(order.callbackUrl, false);
    destination.owed += 1;
  }

  /** A completed order is durable: reports it. */
  report(order: CompletedOrder): void {
    const destination = this.#destinations.get(order.callbackUrl);
    if (destination === undefined) throw new Error(`order ${order.clientOrderId} is reported, but was never owed`);
    destination.add(order);
  }

  /** Sends nothing more. What is not delivered is the next process's. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#destinations.values(), (destination) => destination.close(STOP_GRACE_MS)));
    this.#options.senders.close();
  }

  #open(url: string, backlog: boolean): Destination {
    const destination = new Destination(url, this.#options.senders.open(url), this.#parts, backlog);
    this.#destinations.set(url, destination);
    return destination;
  }

  #onAttempt(...[url, size, { delivered, text }, failures]: Parameters<DestinationParts['onAttempt']>): void {
    const { metrics, log } = this.#options;
    metrics.reportBatchSize.observe(size);
    metrics.reports.inc({ result: delivered ? 'delivered' : 'failed' }, size);
    if (failures === 1) log.warn({ url, answer: text }, 'a callback failed, trying again until it is answered with success');
    else if (!delivered) log.debug({ url, answer: text, failures }, 'a callback failed again');
  }
}
