import { setTimeout as delay } from 'node:timers/promises';
import { RpcChannel } from '@stockbroker/rpc';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import { SeededRandom } from '@stockbroker/runtime';
import type { OpeningAccount } from '@stockbroker/store';
import type { SeenTrade } from '@stockbroker/testkit';
import type { System } from '@stockbroker/testkit/processes';
import { ClientLog } from './clientLog.ts';
import { ChaosCustomer, type OpenTrade } from './customer.ts';
import { HOARDER, Hoarder } from './hoarder.ts';

const TOKEN_LIFETIME_S = 86_400;

export interface TrafficOptions {
  system: System;
  accounts: readonly OpeningAccount[];
  seed: number;
  /** Trades a second, of all customers together. */
  rate: number;
}

/** All customers of a run, and the steady stream of trades that they place. */
export class Traffic {
  readonly log = new ClientLog();
  readonly customers: ChaosCustomer[] = [];
  /** Trades not placed because every customer that was asked had enough open ones. */
  heldBack = 0;
  readonly #options: TrafficOptions;
  readonly #random: SeededRandom;
  readonly #channels: RpcChannel[];
  readonly #over = new AbortController();
  readonly #placing = new Set<Promise<void>>();
  #watching: Promise<void>[] = [];
  #hoarder: Hoarder | undefined;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed ^ 0x5eed);
    this.#channels = options.system.gateways.map((gateway) => new RpcChannel(gateway.endpoints.grpc ?? ''));
  }

  async open(): Promise<void> {
    const { system, accounts, seed } = this.#options;
    const clients = this.#channels.map((channel) => channel.client(TradingServiceDefinition));
    const gateways = clients.map((client, i) => ({ name: system.gateways[i]?.name ?? '', client }));
    for (const [i, account] of accounts.entries()) {
      const token = await system.issuer.tokenFor(account.customerId, { lifetimeSeconds: TOKEN_LIFETIME_S });
      const random = new SeededRandom(seed * 1_009 + i);
      this.customers.push(new ChaosCustomer({ account, token, gateways, random, log: this.log, over: this.#over.signal }));
    }
    this.#watching = this.customers.map((customer) => customer.watch());
    this.#hoarder = new Hoarder(clients, await system.issuer.tokenFor(HOARDER, { lifetimeSeconds: TOKEN_LIFETIME_S }));
  }

  /** @throws Error before `open` */
  get hoarder(): Hoarder {
    if (this.#hoarder === undefined) throw new Error('nobody is there yet');
    return this.#hoarder;
  }

  get placed(): number {
    return this.customers.reduce((sum, { open, ended }) => sum + open.size + ended.size, 0);
  }

  get ended(): number {
    return this.customers.reduce((sum, { ended }) => sum + ended.size, 0);
  }

  get unfinished(): number {
    return this.customers.reduce((sum, { unfinished }) => sum + unfinished, 0);
  }

  /** Open trades as clients know them. */
  openTrades(): OpenTrade[] {
    return this.customers.flatMap(({ open }) => [...open.values()]);
  }

  /** A trade that a client has seen end. */
  someEnded(choice: number): SeenTrade | undefined {
    const ended = this.customers.flatMap((customer) => [...customer.ended.values()].slice(-3));
    return ended[Math.floor(choice * ended.length)];
  }

  /** One of the customers with open trades looks at the oldest of them. */
  async lookAtOpen(choice: number): Promise<void> {
    const waiting = this.customers.filter(({ open }) => open.size > 0);
    await waiting[Math.floor(choice * waiting.length)]?.lookAtOldest();
  }

  /** How long the oldest open trade has been open, milliseconds. */
  oldestMs(): number {
    const now = performance.now();
    return this.openTrades().reduce((oldest, { placedAtMs }) => Math.max(oldest, now - placedAtMs), 0);
  }

  /** Places trades at the rate, whatever becomes of them, until the signal aborts. */
  async flow(signal: AbortSignal): Promise<void> {
    const startedMs = performance.now();
    for (let due = 1; !signal.aborted; due += 1) {
      const dueMs = startedMs + (due * 1_000) / this.#options.rate;
      await delay(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => {}); // Aborted: the loop ends.
      const customer = this.#random.pick(this.customers);
      if (signal.aborted) return;
      if (customer.mayPlace) this.#place(customer);
      else this.heldBack += 1;
    }
  }

  /** Resolves when nothing is open any more, or at the deadline; then nobody waits for anything. */
  async drain(deadlineMs: number): Promise<void> {
    const giveUpAt = performance.now() + deadlineMs;
    while (this.unfinished > 0 && performance.now() < giveUpAt) await delay(100);
  }

  /** Each customer looks at everything once more. */
  async lookAgain(): Promise<void> {
    await Promise.all(this.customers.map((customer) => customer.listTrades().then(() => customer.readAccount())));
  }

  async close(): Promise<void> {
    this.#over.abort();
    await Promise.all([...this.#watching, ...this.#placing]);
    for (const channel of this.#channels) channel.close();
  }

  #place(customer: ChaosCustomer): void {
    const placing = customer.place().finally(() => this.#placing.delete(placing));
    this.#placing.add(placing);
  }
}
