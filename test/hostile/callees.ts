import type { OutgoingHttpHeaders } from 'node:http2';
import { ReportOrdersRequest } from '@stockbroker/rpc/exchange';
import { PlaceTradeRequest, TradeType } from '@stockbroker/rpc/stockbroker';
import type { System } from '@stockbroker/testkit';

/** Where a server listens. */
export interface Server {
  name: string;
  address: string;
  port: number;
}

export type Sign = (body: Uint8Array | string, nowMs?: number) => Record<string, string>;

/** A method of a server and a good call of it that stores nothing. */
export interface Callee<T = Server> {
  target: T;
  path: string;
  message: Buffer;
  /** What a call with these bytes must carry. */
  headersFor: (bytes: Uint8Array) => OutgoingHttpHeaders;
}

/** One of each server. The trade is placed by somebody with a good token and no account, the other two lists are empty. */
export async function openCallees<T extends Server>(
  system: System,
  sign: Sign,
  { gateway, callback, exchange }: { gateway: T; callback: T; exchange: T },
): Promise<Callee<T>[]> {
  const token = await system.issuer.tokenFor(crypto.randomUUID());
  const order = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 10, clientOrderId: 'order-1' };
  return [
    {
      target: gateway,
      path: '/stockbroker.v1.TradingService/PlaceTrade',
      message: Buffer.from(PlaceTradeRequest.encode(PlaceTradeRequest.fromPartial(order)).finish()),
      headersFor: () => ({ authorization: `Bearer ${token}` }),
    },
    {
      target: callback,
      path: '/exchange.v1.CallbackService/ReportOrders',
      message: Buffer.from(ReportOrdersRequest.encode({ reports: [] }).finish()),
      headersFor: (bytes) => sign(bytes),
    },
    {
      target: exchange,
      path: '/exchange.v1.ExchangeService/SubmitOrders',
      message: Buffer.alloc(0),
      headersFor: () => ({ authorization: `Bearer ${system.exchangeApiKey}` }),
    },
  ];
}
