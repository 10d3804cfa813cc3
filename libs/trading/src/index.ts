// What a customer orders,

export type { Account, Balance, Position } from './account.ts';
export { assignClusters } from './assignClusters.ts';
// how it ends,
export {
  type BrokenRule,
  doubtsAbout,
  REFUSED_FIGURES,
  REPORT_RULES,
  type ReportRule,
  readPrice,
  readReport,
  type WordedReport,
  whySetAside,
} from './checkReport.ts';
// and what came when.
export { revisionOf, type TradeVersion, versionsOf } from './history.ts';
export { isUuid, uuidOf, uuidV7 } from './ids.ts';
export { formatUsd, MAX_USD_E4, parseUsd, type UsdE4 } from './money.ts';
export { isAboutOrder, isOfEarlierAttempt, isSameOutcome, isSentBack, type OrderReport, type Outcome } from './orderReport.ts';
// who works on it,
export { fnv1a32, partitionOf } from './partition.ts';
export {
  describePlacingRefusal,
  describeRefusal,
  type PlacingRefusal,
  REJECT_CODES,
  type Refusal,
  type RejectCode,
} from './refusal.ts';
// whether it may be sent,
export { checkMeans, collar, holdFor, type Means, type Quote, sideOf } from './risk.ts';
export { isTicker } from './ticker.ts';
export {
  isSameOrder,
  MAX_QUANTITY,
  type NewTrade,
  placedTrade,
  TRADE_STATUSES,
  TRADE_TYPES,
  type Trade,
  type TradeOrder,
  type TradeStatus,
  type TradeType,
} from './trade.ts';
// what may follow what,
export { IllegalTransitionError, isFinal, nextStatus, TRADE_EVENTS, type TradeEvent } from './transitions.ts';
export { mayHaveBeenValid, type Violation, validateOrder } from './validateOrder.ts';
