import { setTimeout as delay } from 'node:timers/promises';
import { RpcChannel, RpcError } from '@stockbroker/rpc';
import {
  type Behaviour,
  ExchangeServiceDefinition,
  type OrderReport,
  RejectReason,
  SimulatorServiceDefinition,
} from '@stockbroker/rpc/exchange';
import type { Lie } from '@stockbroker/testkit';
import type { System } from '@stockbroker/testkit/processes';

/** How the exchange behaves when nothing is wrong with it. */
const HONEST: Partial<Behaviour> = { latencyMinMs: 20, latencyMaxMs: 80 };
const CALL_TIMEOUT_MS = 2_000;
const APPLY_MS = 100;

export interface FixedQuote {
  ticker: string;
  bid: string;
  ask: string;
  halted: boolean;
}

/** The switches of the simulated exchange, shared by all faults that are on: what is set outlasts its restarts. */
export class Simulator {
  /** Every false report that it was made to send. */
  readonly lies: Lie[] = [];
  readonly #channel: RpcChannel;
  readonly #client;
  readonly #quotesClient;
  readonly #callbackUrl: string;
  readonly #wishes = new Set<Partial<Behaviour>>();
  readonly #stopped = new AbortController();
  #applied = '';
  #applying: Promise<void> | undefined;

  constructor({ exchangeAddress, exchangeApiKey, callbackUrl }: System) {
    this.#channel = new RpcChannel(exchangeAddress, { authorization: `Bearer ${exchangeApiKey}` });
    this.#client = this.#channel.client(SimulatorServiceDefinition);
    this.#quotesClient = this.#channel.client(ExchangeServiceDefinition);
    this.#callbackUrl = callbackUrl;
  }

  start(): void {
    this.#applying = this.#keepApplied();
  }

  /** Behaves so as well, until it is told to stop. Of several wishes for one switch the strongest counts. */
  wish(behaviour: Partial<Behaviour>): () => void {
    this.#wishes.add(behaviour);
    return () => this.#wishes.delete(behaviour);
  }

  /** It has forgotten all: it was started again. */
  forgotten(): void {
    this.#applied = '';
  }

  /** Fixes a quote. What fails is not repeated: a quote is forgotten at a restart anyway. */
  async quote(quote: FixedQuote): Promise<void> {
    await unlessRefused(this.#client.setQuote(quote, { timeoutMs: CALL_TIMEOUT_MS }));
  }

  /** All quotes as they are now. */
  async quotes(): Promise<FixedQuote[]> {
    for await (const { quotes } of this.#quotesClient.streamQuotes({}, { timeoutMs: 10_000 }))
      return quotes.map(({ ticker, bid, ask, halted }) => ({ ticker, bid, ask, halted }));
    return [];
  }

  /** Fills an open order, whatever its limit. */
  async fill(clientOrderId: string, price: string): Promise<void> {
    await unlessRefused(this.#client.completeOrder({ clientOrderId, price }, { timeoutMs: CALL_TIMEOUT_MS }));
  }

  /** Rejects an open order for having come outside the session. */
  async sendBack(clientOrderId: string): Promise<void> {
    const rejectReason = RejectReason.REJECT_REASON_MARKET_CLOSED;
    await unlessRefused(this.#client.completeOrder({ clientOrderId, rejectReason }, { timeoutMs: CALL_TIMEOUT_MS }));
  }

  /** Reports something that is not so. */
  async forge(what: string, report: Partial<OrderReport> & { clientOrderId: string }): Promise<void> {
    const lie = { tradeId: report.clientOrderId, what, delivered: false };
    this.lies.push(lie);
    const request = { callbackUrl: this.#callbackUrl, reports: [{ executedAt: new Date(), ...report }] };
    const answer = await unlessRefused(this.#client.sendReport(request, { timeoutMs: 2 * CALL_TIMEOUT_MS }));
    lie.delivered = answer?.delivered ?? false;
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#applying;
    this.#channel.close();
  }

  /** Resolves when it behaves as wished; it may be down for a while. */
  async untilApplied(deadlineMs: number): Promise<boolean> {
    const giveUpAt = performance.now() + deadlineMs;
    while (this.#applied !== this.#wanted() && performance.now() < giveUpAt) await delay(20);
    return this.#applied === this.#wanted();
  }

  async #keepApplied(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const wanted = this.#wanted();
      if (wanted !== this.#applied) {
        const behaviour = JSON.parse(wanted) as Behaviour;
        const done = await unlessRefused(this.#client.setBehaviour({ behaviour }, { timeoutMs: CALL_TIMEOUT_MS }));
        if (done !== undefined) this.#applied = wanted;
      }
      await delay(APPLY_MS, undefined, { signal }).catch(() => {}); // Stopped: the loop ends.
    }
  }

  #wanted(): string {
    const merged: Record<string, number | boolean> = { ...HONEST };
    for (const wish of this.#wishes)
      for (const [key, value] of Object.entries(wish))
        merged[key] = typeof value === 'number' ? Math.max(value, Number(merged[key] ?? 0)) : value || merged[key] === true;
    return JSON.stringify(merged);
  }
}

/** Undefined when the exchange is away or refuses. */
async function unlessRefused<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof RpcError) return undefined;
    throw error;
  }
}
