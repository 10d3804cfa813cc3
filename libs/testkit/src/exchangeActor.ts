import { RpcChannel, type RpcClient, type TlsIdentity } from '@stockbroker/rpc';
import {
  type Behaviour,
  ExchangeServiceDefinition,
  type JournalEntry,
  type OrderReport,
  type RejectReason,
  SimulatorServiceDefinition,
} from '@stockbroker/rpc/exchange';
import { formatUsd, parseUsd, type UsdE4 } from '@stockbroker/trading';
import type { AppProcess } from './appProcess.ts';
import { eventually } from './eventually.ts';
import { CALL_TIMEOUT_MS, PATIENCE } from './patience.ts';

/** Prices of a share in USD, of one side or both; or no quote at all; or a quote in a halted stock; or a halt without prices. */
export type FixedQuote = { bid?: string; ask?: string } | 'none' | 'halted' | 'halted without prices';

interface TradeRef {
  orderId: string;
}

export interface ExchangePorts {
  process: AppProcess;
  address: string;
  apiKey: string;
  /** Undefined: no TLS. */
  tls?: TlsIdentity | undefined;
  /** The status of a trade at the broker, by its id; undefined when there is none. */
  statusOf(orderId: string): Promise<string | undefined>;
}

/** The simulated exchange as tests direct it. Unless told otherwise it leaves orders open until a test completes them. */
export class ExchangeActor {
  readonly process: AppProcess;
  readonly #ports: ExchangePorts;
  readonly #channel: RpcChannel;
  readonly #orders: RpcClient<typeof ExchangeServiceDefinition>;
  readonly #simulator: RpcClient<typeof SimulatorServiceDefinition>;
  #behaviour: Partial<Behaviour> = { manual: true };

  constructor(ports: ExchangePorts) {
    this.process = ports.process;
    this.#ports = ports;
    this.#channel = new RpcChannel(ports.address, { authorization: `Bearer ${ports.apiKey}` }, ports.tls);
    this.#orders = this.#channel.client(ExchangeServiceDefinition, CALL_TIMEOUT_MS);
    this.#simulator = this.#channel.client(SimulatorServiceDefinition, CALL_TIMEOUT_MS);
  }

  /** Changes some of its behaviour; the rest stays. */
  async behaves(change: Partial<Behaviour>): Promise<void> {
    await this.#simulator.setBehaviour({ behaviour: { ...this.#behaviour, ...change } });
    this.#behaviour = { ...this.#behaviour, ...change };
  }

  /** Behaves so while `act` runs. */
  async whileBehaving<T>(change: Partial<Behaviour>, act: () => Promise<T>): Promise<T> {
    const before = this.#behaviour;
    await this.behaves(change);
    try {
      return await act();
    } finally {
      this.#behaviour = before;
      await this.behaves({});
    }
  }

  async quotes(stockTicker: string, quote: FixedQuote): Promise<void> {
    const sides = typeof quote === 'object' ? quote : quote === 'halted' ? { bid: '10', ask: '10' } : {};
    const price = (text = '') => (text === '' ? '' : formatUsd(parseUsd(text)));
    const halted = quote === 'halted' || quote === 'halted without prices';
    await this.#simulator.setQuote({ ticker: stockTicker, bid: price(sides.bid), ask: price(sides.ask), halted });
  }

  /** Waits until it has the order. */
  async receives(trade: TradeRef): Promise<void> {
    const ask = async () => {
      const { reports } = await this.#orders.getOrders({ clientOrderIds: [trade.orderId] });
      if (reports.length > 0) return 'received';
      return this.#ports.statusOf(trade.orderId);
    };
    const found = await eventually(ask, (answer) => answer === 'received' || answer === 'rejected', {
      what: `order ${trade.orderId} at the exchange`,
    });
    if (found === 'rejected') throw new Error(`trade ${trade.orderId} was rejected, so the exchange will never have it`);
  }

  /** Fills an order, whatever the market says, and waits until the broker has settled it. */
  async fills(trade: TradeRef, { price }: { price: UsdE4 }): Promise<OrderReport> {
    const report = await this.completes(trade, { price: formatUsd(price) });
    await this.#settled(trade);
    return report;
  }

  /** Rejects an order and waits until the broker has settled it. */
  async rejects(trade: TradeRef, rejectReason: RejectReason, rejectMessage = ''): Promise<OrderReport> {
    const report = await this.completes(trade, { rejectReason, rejectMessage });
    await this.#settled(trade);
    return report;
  }

  /** Fills an order, but never reports it. @returns what the report would be */
  async fillsSilently(trade: TradeRef, { price }: { price: UsdE4 }): Promise<OrderReport> {
    return this.whileBehaving({ dropRate: 1 }, () => this.completes(trade, { price: formatUsd(price) }));
  }

  /** Completes an order as soon as it has it; a price fills it. */
  async completes(
    trade: TradeRef,
    how: { price: string } | { rejectReason: RejectReason; rejectMessage: string },
  ): Promise<OrderReport> {
    await this.receives(trade);
    return this.completesUnasked(trade, how);
  }

  /** Completes an order that it has, for certain; also while it answers nobody. */
  async completesUnasked(
    trade: TradeRef,
    how: { price: string } | { rejectReason: RejectReason; rejectMessage: string },
  ): Promise<OrderReport> {
    const { report } = await this.#simulator.completeOrder({ clientOrderId: trade.orderId, ...how });
    if (report === undefined) throw new Error('the simulator answered without a report');
    return report;
  }

  /** Makes a signed callback with these reports, true or not. */
  reports(callbackUrl: string, ...reports: Partial<OrderReport>[]): Promise<{ delivered: boolean; answer: string }> {
    return this.#simulator.sendReport({ callbackUrl, reports });
  }

  /** Every order that it accepted, in order. */
  async journal(): Promise<JournalEntry[]> {
    const pages = await Array.fromAsync(this.#simulator.listOrders({}, { timeoutMs: 60_000 * PATIENCE }));
    return pages.flatMap(({ entries }) => entries);
  }

  /** The ids of all orders among `trades` that it accepted, in order. */
  async orderOf(trades: readonly TradeRef[]): Promise<string[]> {
    const wanted = new Set(trades.map(({ orderId }) => orderId));
    const ids = (await this.journal()).map(({ order }) => order?.clientOrderId ?? '');
    return ids.filter((id) => wanted.has(id));
  }

  /** Starts again after a kill; its fixed quotes are gone, its orders are not. */
  async restarts(): Promise<void> {
    await this.process.start();
    await this.behaves({});
  }

  close(): void {
    this.#channel.close();
  }

  async #settled({ orderId }: TradeRef): Promise<void> {
    const isEnd = (status: string | undefined) => status === 'filled' || status === 'rejected';
    await eventually(() => this.#ports.statusOf(orderId), isEnd, { what: `the settlement of trade ${orderId}` });
  }
}
