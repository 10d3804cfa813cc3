// The path of a trade: placed by a gateway,

// perhaps canceled while it is,
export { type CancelPorts, cancelTrade, NoTradeError, NotCancelableError } from './cancelTrade.ts';
export { CLOCK_TOLERANCE_MS } from './decide.ts';
// executed by the leader of the customer's partition, in the customer's lane,
export { type LeaderOptions, PartitionLeader, readOpenCustomers } from './leader.ts';
export { Pace } from './pace.ts';
export {
  ClientOrderIdUsedError,
  findRetried,
  NoAccountError,
  type PlacePorts,
  placeTrade,
  type RetriedStore,
  TooManyOpenTradesError,
} from './placeTrade.ts';
// What all of them need from the world,
export {
  type CancelingStore,
  type Clock,
  type CustomerNews,
  type CustomerState,
  type Decision,
  type Exchange,
  ExchangeInDoubtError,
  type ExecutingStore,
  type FlowEvent,
  type InsertResult,
  type KnownOrder,
  type KnownRevision,
  MAX_CHANGED_REVISIONS,
  MAX_CHANGED_TRADES,
  type Mark,
  type MarketHours,
  type MarketState,
  type MarkResult,
  type Observe,
  type PlacingStore,
  type QuarantinedCallback,
  type QuoteAnswer,
  type Raised,
  type Random,
  type Settled,
  type SettlingStore,
  StoreLockedError,
  StoreRefusedError,
  StoreUnavailableError,
  type SubmitAnswer,
  type Waiting,
  type Wakeups,
  type WatchingStore,
} from './ports.ts';
// and what they tell people and dashboards.
export { EVENT_KINDS, type FlowLog, reportTo } from './report.ts';
// settled on the exchange's callback.
export { quarantineReport, type Settlement, type SettlePorts, settleReport } from './settleReport.ts';
export type { LaneOptions, LanePorts, Leadership } from './turn.ts';
// Its customer watches all that,
export { Changes, type ChangesPorts } from './watch/changes.ts';
export { HEARTBEAT_MS, type WatchEvent, type WatchPorts, watchTrades } from './watch/watchTrades.ts';
