/** Messages and services of stockbroker.v1, generated from proto/stockbroker/v1. */
export { RejectCode, SessionPolicy, Trade, TradeStatus, TradeType } from './generated/stockbroker/v1/trade.ts';
export {
  Account,
  type Instrument,
  PlaceTradeRequest,
  type Position,
  type Price,
  Quote,
  type TradesChange,
  type TradesSnapshot,
  TradingServiceDefinition,
  type WatchQuotesResponse,
  type WatchTradesRequest,
  type WatchTradesResponse,
} from './generated/stockbroker/v1/trading_service.ts';
