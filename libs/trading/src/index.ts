export { type UsdE4, formatUsd, parseUsd } from './money.ts';
export { isUuid, uuidV7 } from './ids.ts';
export { isTicker } from './ticker.ts';
export { validateOrder, type Violation } from './validateOrder.ts';
export {
  isSameOrder,
  MAX_QUANTITY,
  type NewTrade,
  type Trade,
  type TradeOrder,
  TRADE_STATUSES,
  TRADE_TYPES,
  type TradeStatus,
  type TradeType,
} from './trade.ts';
export { IllegalTransitionError, isFinal, nextStatus, TRADE_EVENTS, type TradeEvent } from './transitions.ts';
export { clusterOf, fnv1a32, partitionOf } from './partition.ts';
export { checkMeans, collar, holdFor, type Means, type Quote } from './risk.ts';
export { describeRefusal, REJECT_CODES, type RejectCode, type Refusal } from './refusal.ts';
export { isAboutOrder, isSameOutcome, type OrderReport, type Outcome } from './orderReport.ts';
