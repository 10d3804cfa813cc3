import type { OutgoingHttpHeaders } from 'node:http2';
import { ReportOrdersRequest } from '@stockbroker/rpc/exchange';
import { PlaceTradeRequest, TradeType } from '@stockbroker/rpc/stockbroker';
import type { Arena, Target } from './arena.ts';

/** A method of a server and a good call of it that stores nothing. */
export interface Callee {
  target: Target;
  path: string;
  message: Buffer;
  /** What a call with these bytes must carry. */
  headersFor: (bytes: Uint8Array) => OutgoingHttpHeaders;
}

/** One of each server. The trade is placed by somebody with a good token and no account, the other two lists are empty. */
export async function openCallees({ broker, gateway, callback, exchange, sign }: Arena): Promise<Callee[]> {
  const token = await broker.system.issuer.tokenFor(crypto.randomUUID());
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
      headersFor: () => ({ authorization: `Bearer ${broker.system.exchangeApiKey}` }),
    },
  ];
}
