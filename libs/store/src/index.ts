export { storeVariables } from './variables.ts';
export { createStore, openStore, type Store, type StoreOptions } from './createStore.ts';
export type { AccountRecord } from './readAccount.ts';
export { openDatabase } from './database.ts';
export { type OpeningAccount, openAccounts } from './openAccounts.ts';
