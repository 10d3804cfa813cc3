// What a customer orders,
export {
  type NewTrade,
  isSameOrder,
  MAX_QUANTITY,
  placedTrade,
  type Trade,
  type TradeOrder,
  TRADE_STATUSES,
  TRADE_TYPES,
  type TradeStatus,
  type TradeType,
} from './trade.ts';
export { mayHaveBeenValid, validateOrder, type Violation } from './validateOrder.ts';
export { isTicker } from './ticker.ts';
export { isUuid, uuidOf, uuidV7 } from './ids.ts';
export { formatUsd, MAX_USD_E4, parseUsd, type UsdE4 } from './money.ts';
export type { Account } from './account.ts';
// who works on it,
export { fnv1a32, partitionOf } from './partition.ts';
export { assignClusters } from './assignClusters.ts';
// whether it may be sent,
export { checkMeans, collar, holdFor, type Means, type Quote, sideOf } from './risk.ts';
export {
  describePlacingRefusal,
  describeRefusal,
  type PlacingRefusal,
  REJECT_CODES,
  type RejectCode,
  type Refusal,
} from './refusal.ts';
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
export { isAboutOrder, isOfEarlierAttempt, isSameOutcome, isSentBack, type OrderReport, type Outcome } from './orderReport.ts';
// what may follow what,
export { IllegalTransitionError, isFinal, nextStatus, TRADE_EVENTS, type TradeEvent } from './transitions.ts';
// and what came when.
export { revisionOf, type TradeVersion, versionsOf } from './history.ts';
