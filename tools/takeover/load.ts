import { setTimeout as delay } from 'node:timers/promises';
import { retrying } from '@stockbroker/client';
import type { Broker, Customer } from '@stockbroker/testkit';
import { parseUsd, partitionOf } from '@stockbroker/trading';

/** Each customer places a trade this often: fifty a second of all hundred. */
const EVERY_MS = 2_000;
const RETRY = { timeoutMs: 60_000, attemptTimeoutMs: 60_000, backoff: { baseMs: 250, maxMs: 250 } };

/** One customer in each partition, who goes on trading. */
export class Load {
  readonly #customers: Map<number, Customer>;
  #going: Promise<void>[] = [];
  #placed = 0;
  #over = false;

  private constructor(customers: Map<number, Customer>) {
    this.#customers = customers;
  }

  /** Opens accounts until each partition has a customer. */
  static async open(broker: Broker, partitions: number): Promise<Load> {
    const customers = new Map<number, Customer>();
    const means = { cash: parseUsd('100000000.00'), shares: { AAPL: 1_000_000 } };
    while (customers.size < partitions) {
      for (const customer of await broker.customers(50, means)) customers.set(partitionOf(customer.id, partitions), customer);
    }
    return new Load(customers);
  }

  start(): void {
    this.#going = [...this.#customers].map(([partition, customer]) =>
      this.#go(customer, (partition * EVERY_MS) / this.#customers.size),
    );
    for (const going of this.#going) going.catch(() => {}); // `stop` tells.
  }

  /** At once one trade in each of these partitions, so that there is one to be sent. */
  async place(partitions: readonly number[]): Promise<void> {
    await Promise.all(partitions.map((partition) => this.#place(this.#customerOf(partition))));
  }

  /** @throws what a customer was answered that a retry does not mend */
  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#going);
  }

  async #go(customer: Customer, afterMs: number): Promise<void> {
    await delay(afterMs);
    while (!this.#over) {
      await Promise.all([this.#place(customer), delay(EVERY_MS)]);
    }
  }

  async #place(customer: Customer): Promise<void> {
    const clientOrderId = crypto.randomUUID();
    const isBuy = this.#placed % 2 === 0;
    const place = () => (isBuy ? customer.buys(1, 'AAPL', { clientOrderId }) : customer.sells(1, 'AAPL', { clientOrderId }));
    await retrying(place, RETRY);
    this.#placed += 1;
  }

  #customerOf(partition: number): Customer {
    const customer = this.#customers.get(partition);
    if (customer === undefined) throw new Error(`partition ${partition} has no customer`);
    return customer;
  }
}
