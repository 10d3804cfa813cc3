export { connectionSettings, UnfitDatabaseError } from './connectionSettings.ts';
export { BY_INDEX, createStore, openStatements, openStore, type Store, type StoreOptions } from './createStore.ts';
export { fitConnection } from './fitConnection.ts';
export { type OpeningAccount, openAccounts } from './openAccounts.ts';
export { readAccounts } from './readAccounts.ts';
export type { DatabaseHealth } from './readHealth.ts';
export { type QuarantineRow, readAllTrades, readTables, type Tables } from './readTables.ts';
export { statementsOn } from './statement.ts';
export { storeVariables } from './variables.ts';
