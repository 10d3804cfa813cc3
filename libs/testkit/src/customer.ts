import type { CallOptions, RpcClient } from '@stockbroker/rpc';
import {
  type Account,
  type PlaceTradeRequest,
  type Trade,
  TradeStatus,
  TradeType,
  type TradingServiceDefinition,
} from '@stockbroker/rpc/stockbroker';
import { parseUsd, type UsdE4 } from '@stockbroker/trading';
import { eventually } from './eventually.ts';
import { Watcher } from './watcher.ts';

type Client = RpcClient<typeof TradingServiceDefinition>;
type Request = Partial<PlaceTradeRequest>;

export interface CustomerPorts {
  /** A client of the gateway of that number, from 0. */
  clientOf(gateway: number): Client;
  /** Told of each trade that the broker has acknowledged. */
  onPlaced(orderId: string): void;
}

/** A customer with an account and a token, who places trades and looks at the results over gRPC. */
export class Customer {
  readonly id: string;
  readonly token: string;
  readonly #ports: CustomerPorts;

  constructor(id: string, token: string, ports: CustomerPorts) {
    this.id = id;
    this.token = token;
    this.#ports = ports;
  }

  buys(quantity: number, stockTicker: string, more: Request = {}, gateway = 0): Promise<Trade> {
    return this.places({ type: TradeType.TRADE_TYPE_BUY, quantity, stockTicker, ...more }, gateway);
  }

  sells(quantity: number, stockTicker: string, more: Request = {}, gateway = 0): Promise<Trade> {
    return this.places({ type: TradeType.TRADE_TYPE_SELL, quantity, stockTicker, ...more }, gateway);
  }

  /** Sends the request as it is. @returns the trade as the gateway acknowledged it */
  async places(request: Request, gateway = 0): Promise<Trade> {
    const trade = await this.calls(gateway).placeTrade(request);
    this.#ports.onPlaced(trade.orderId);
    return trade;
  }

  /** Waits for a trade that this customer has placed elsewhere, e.g. in a browser, as the newest that is not among `others`. */
  async placedElsewhere(...others: { orderId: string }[]): Promise<Trade> {
    const isNew = ({ orderId }: Trade) => others.every((other) => other.orderId !== orderId);
    const read = async () => (await this.calls().listTrades({ pageSize: 1 })).trades.find(isNew);
    const trade = await eventually(read, (found) => found !== undefined, { what: 'a trade placed elsewhere' });
    if (trade === undefined) throw new Error('a good one is defined');
    this.#ports.onPlaced(trade.orderId);
    return trade;
  }

  /** All methods of a gateway, called with this customer's token. */
  calls(gateway = 0): Client {
    return this.withToken(this.#ports.clientOf(gateway));
  }

  /** The client with this customer's token in every call. */
  withToken(client: Client): Client {
    const headers = { authorization: `Bearer ${this.token}` };
    const withToken = Object.entries(client).map(([name, call]) => [
      name,
      (request: never, options: CallOptions = {}) => call(request, { ...options, headers: { ...headers, ...options.headers } }),
    ]);
    return Object.fromEntries(withToken) as Client;
  }

  /** Watches all changes after a revision, or from a snapshot on. */
  watches({ after = 0, gateway = 0 }: { after?: number; gateway?: number } = {}): Watcher {
    return new Watcher(this.calls(gateway), after);
  }

  trade({ orderId }: { orderId: string }): Promise<Trade> {
    return this.calls().getTrade({ orderId });
  }

  /** Waits until the trade is filled or rejected. */
  ended(trade: { orderId: string }): Promise<Trade> {
    return eventually(
      () => this.trade(trade),
      ({ status }) => status === TradeStatus.TRADE_STATUS_FILLED || status === TradeStatus.TRADE_STATUS_REJECTED,
      { what: `the end of trade ${trade.orderId}` },
    );
  }

  account(): Promise<Account> {
    return this.calls().getAccount({});
  }

  /** All cash, also what is held. */
  async cash(): Promise<UsdE4> {
    return parseUsd((await this.account()).cash);
  }

  /** Cash held for open buys. */
  async held(): Promise<UsdE4> {
    return parseUsd((await this.account()).held);
  }

  /** All shares of a stock, also those held. */
  async shares(stockTicker: string): Promise<bigint> {
    const { positions } = await this.account();
    return positions.find((position) => position.stockTicker === stockTicker)?.quantity ?? 0n;
  }
}
