import type { Statements } from '@stockbroker/store/batching';
import type { MemoryDatabase } from './memoryDatabase.ts';
import { readChanges, readNewRevisions, readSnapshots, readTurns } from './memoryWatching.ts';

/** The database as whoever is connected to it directly has it. */
export function directly(database: MemoryDatabase): Statements {
  const now = async <T>(run: () => T) => run();
  return {
    insertTrades: (trades) => now(() => database.insertTrades(trades)),
    readOldestOpenTrades: (customers) => now(() => database.readOldestOpenTrades(customers)),
    readOpenCustomers: (asked) => now(() => database.readOpenCustomers(asked)),
    readTurns: (trades) => now(() => readTurns(database, trades)),
    markTradesExecuted: (marks) => now(() => database.markTradesExecuted(marks)),
    cancelTrades: (asked) => now(() => database.cancelTrades(asked)),
    settleTrades: (reports) => now(() => database.settleTrades(reports)),
    readTrades: (ids) => now(() => database.readTrades(ids)),
    raiseEpochs: (takeovers) => now(() => database.raiseEpochs(takeovers)),
    quarantineCallbacks: (callbacks) => now(() => database.quarantineCallbacks(callbacks)),
    readSnapshots: (customers) => now(() => readSnapshots(database, customers)),
    readChanges: (since) => now(() => readChanges(database, since)),
    readNewRevisions: (known) => now(() => readNewRevisions(database, known)),
  };
}
