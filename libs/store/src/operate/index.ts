// What operators ask the database, in bounded memory: none of it is on the path of a trade.
export { type CheckedPage, checkAccounts, checkOpenTrades, type Finding } from './checkAccounts.ts';
export { type BlockedAccount, listBlockedAccounts } from './listBlockedAccounts.ts';
export {
  listOperatorActions,
  type Operator,
  type OperatorActionRow,
  recordAction,
  resolveQuarantined,
  unblockAccount,
} from './operatorActions.ts';
export { type PartitionFence, readPartitionLeases } from './readPartitionLeases.ts';
export { countUnresolved, listQuarantine, type QuarantineRow, readQuarantined } from './readQuarantine.ts';
export { countStuckTrades, type OpenTradeCount, readStuckTrades, type StuckTrade } from './readStuckTrades.ts';
export { type IdRange, readTradesOfDay } from './readTradesOfDay.ts';
