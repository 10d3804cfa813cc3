export { isUuid, uuidV7 } from './ids.ts';
export { formatUsd, parseUsd, type UsdE4 } from './money.ts';
export { isAboutOrder, isSameOutcome, type OrderReport, type Outcome } from './orderReport.ts';
export { clusterOf, fnv1a32, partitionOf } from './partition.ts';
export { describeRefusal, REJECT_CODES, type Refusal, type RejectCode } from './refusal.ts';
export { checkMeans, collar, holdFor, type Means, type Quote } from './risk.ts';
export { isTicker } from './ticker.ts';
export {
  isSameOrder,
  MAX_QUANTITY,
  type NewTrade,
  TRADE_STATUSES,
  TRADE_TYPES,
  type Trade,
  type TradeOrder,
  type TradeStatus,
  type TradeType,
} from './trade.ts';
export { IllegalTransitionError, isFinal, nextStatus, TRADE_EVENTS, type TradeEvent } from './transitions.ts';
export { type Violation, validateOrder } from './validateOrder.ts';
