// A client, over some transport,

export type { Account, Instrument, Position, Price, Quote } from '@stockbroker/rpc/stockbroker';
// What the broker tells, as in the proto.
export { RejectCode, SessionPolicy, Trade, TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
export { type Backoff, type RetryOptions, retrying } from './backoff.ts';
// and says exactly what went wrong.
export { BrokerError, CODES, type Code, type FieldViolation, REASONS, type Reason } from './brokerError.ts';
export type { CallOptions, TradingCalls } from './calls.ts';
export { BrokerClient, type ClientOptions, type QuotesUpdate, type TradesPage } from './client.ts';
export type { Network } from './network.ts';
export type { Observable } from './observable.ts';
export {
  memoryJournal,
  type OrderJournal,
  type PendingOrder,
  storageJournal,
  type WebLocks,
  type WebStorage,
} from './orderJournal.ts';
// that places each order once,
export type { Order, Resolved } from './orders.ts';
// follows what becomes of it,
export { newestFirst, type TradesView, withEvent } from './tradesView.ts';
export { type ConnectionState, Watch } from './watch.ts';
export { type WebCallsOptions, webCalls } from './webCalls.ts';
