import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { busNames } from '@stockbroker/bus';
import type { RpcClient } from '@stockbroker/rpc';
import { PlaceTradeRequest, Trade, TradeStatus, TradeType, type TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import type { PlainGrpc } from '../plainGrpc.ts';
import { Window } from './seen.ts';

export interface BenchCustomer {
  id: string;
  token: string;
  /** Of a stock that it owns shares of. */
  stockTicker: string;
}

type Client = RpcClient<typeof TradingServiceDefinition>;

interface Open {
  customer: BenchCustomer;
  placedMs: number;
  ends(atMs: number): void;
}

interface Apart {
  window: Window;
  onPlaced(): void;
}

const PLACE_TRADE = '/stockbroker.v1.TradingService/PlaceTrade';
const ATTEMPT_MS = 30_000;
const RETRY_MS = 50;
/** A trade whose end nobody told of is asked for after this long, a few at a time, so that asking stays cheap. */
const UNTOLD_MS = 10_000;
const ASK_EVERY_MS = 1_000;
const ASK_AT_ONCE = 20;
/** Characters of a UUID. */
const ID = 36;

/**
 * Places trades and learns of their ends.
 *
 * Ends are learnt from `settled.<partition>`, which callback processes publish right after the commit for the workers anyway: one more
 * subscriber costs NATS a copy of 73 bytes and the broker nothing. Asking with GetTrade, or a WatchTrades stream for each customer,
 * would cost the gateway and PostgreSQL more than the trade does, and measure that.
 */
export class Trading {
  readonly #places: PlainGrpc[];
  readonly #client: Client;
  readonly #open = new Map<string, Open>();
  /** Trades that ended before the call that placed them was answered, and when. */
  readonly #early = new Map<string, number>();
  readonly #headers = new Map<BenchCustomer, Record<string, string>>();
  readonly #asking: NodeJS.Timeout;
  #window = new Window();
  #begun = 0;
  #acknowledged = 0;

  /** @param places trades are placed over these in turns; `client` makes the few other calls */
  constructor(places: PlainGrpc[], client: Client, nats: NatsConnection) {
    this.#places = places;
    this.#client = client;
    nats.subscribe(busNames('').settledSubject('*'), {
      callback: (error, message) => {
        if (error === null) this.#settled(message.string().slice(ID + 1, 2 * ID + 1), performance.now()); // "<customer id> <trade id>"
      },
    });
    this.#asking = setInterval(() => void this.#askForUntold(), ASK_EVERY_MS);
  }

  /** Every trade that the broker has acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Trades whose time to be placed is from now on belong to the new window. */
  openWindow(): Window {
    this.#window = new Window();
    return this.#window;
  }

  /**
   * Places a trade and waits for its end. Times count from `intendedMs` of performance.now(). A call that fails is repeated under
   * the same client order id until it is answered, as a client does; that is counted.
   *
   * @param apart takes its times instead of the window that is open
   */
  async trade(customer: BenchCustomer, intendedMs: number, apart?: Apart): Promise<void> {
    const window = apart?.window ?? this.#window;
    const orderId = await this.#place(customer, window);
    const placedMs = performance.now();
    window.placed(placedMs - intendedMs);
    apart?.onPlaced();
    const early = this.#early.get(orderId);
    this.#early.delete(orderId);
    const endedMs = early ?? (await new Promise<number>((ends) => this.#open.set(orderId, { customer, placedMs, ends })));
    window.endedAfter(endedMs - intendedMs);
  }

  stop(): void {
    clearInterval(this.#asking);
  }

  async #place(customer: BenchCustomer, window: Window): Promise<string> {
    const places = this.#places[this.#begun % this.#places.length] as PlainGrpc;
    this.#begun += 1;
    const type = Math.random() < 0.5 ? TradeType.TRADE_TYPE_BUY : TradeType.TRADE_TYPE_SELL;
    const order = { clientOrderId: crypto.randomUUID(), stockTicker: customer.stockTicker, type, quantity: 1 };
    const message = PlaceTradeRequest.encode(PlaceTradeRequest.fromPartial(order)).finish();
    const options = { headers: this.headersOf(customer), timeoutMs: ATTEMPT_MS };
    for (;;) {
      try {
        const { orderId } = Trade.decode(await places.call(PLACE_TRADE, message, options));
        this.#acknowledged += 1;
        return orderId;
      } catch (error) {
        window.repeats(error);
        await delay(RETRY_MS);
      }
    }
  }

  #settled(orderId: string, atMs: number): void {
    this.#window.ended();
    const open = this.#open.get(orderId);
    if (open === undefined) this.#early.set(orderId, atMs);
    else open.ends(atMs);
    this.#open.delete(orderId);
  }

  /** The message may be lost, and the trade counts all the same: later, when it is found. */
  async #askForUntold(): Promise<void> {
    const now = performance.now();
    let asked = 0;
    for (const [orderId, { customer, placedMs }] of this.#open) {
      if (now - placedMs < UNTOLD_MS || asked === ASK_AT_ONCE) break; // The map is in the order placed, or last asked for.
      asked += 1;
      this.#askLater(orderId);
      const call = this.#client.getTrade({ orderId }, { headers: this.headersOf(customer), timeoutMs: ATTEMPT_MS });
      const trade = await call.catch(() => undefined);
      if (trade === undefined || trade.status < TradeStatus.TRADE_STATUS_FILLED || !this.#open.has(orderId)) continue;
      this.#window.untold += 1;
      this.#settled(orderId, performance.now());
    }
  }

  /** Else those that wait the longest would be asked for again and again, and the others never. */
  #askLater(orderId: string): void {
    const open = this.#open.get(orderId);
    if (open === undefined) return;
    this.#open.delete(orderId);
    this.#open.set(orderId, { ...open, placedMs: performance.now() });
  }

  /** For calls in the customer's name. */
  headersOf(customer: BenchCustomer): Record<string, string> {
    let headers = this.#headers.get(customer);
    if (headers === undefined) {
      headers = { authorization: `Bearer ${customer.token}` };
      this.#headers.set(customer, headers);
    }
    return headers;
  }
}
