// A client, over some transport,
export { BrokerClient, type ClientOptions, type QuotesUpdate, type TradesPage } from './client.ts';
export type { CallOptions, TradingCalls } from './calls.ts';
export { webCalls, type WebCallsOptions } from './webCalls.ts';
// that places each order once,
export type { Order, Resolved } from './orders.ts';
export {
  memoryJournal,
  type OrderJournal,
  type PendingOrder,
  storageJournal,
  type WebLocks,
  type WebStorage,
} from './orderJournal.ts';
// follows what becomes of it,
export { newestFirst, type TradesView, withEvent } from './tradesView.ts';
export { type ConnectionState, Watch } from './watch.ts';
export type { Observable } from './observable.ts';
export type { Network } from './network.ts';
// and says exactly what went wrong.
export { BrokerError, type Code, CODES, type FieldViolation, type Reason, REASONS } from './brokerError.ts';
export { type Backoff, type RetryOptions, retrying } from './backoff.ts';
// What the broker tells, as in the proto.
export { RejectCode, SessionPolicy, Trade, TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
export type { Account, Instrument, Position, Price, Quote } from '@stockbroker/rpc/stockbroker';
