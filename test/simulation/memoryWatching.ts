import { type CustomerState, type KnownRevision, MAX_CHANGED_REVISIONS, MAX_CHANGED_TRADES } from '@stockbroker/trade-flow';
import { isFinal, revisionOf, type Trade } from '@stockbroker/trading';
import type { MemoryDatabase } from './memoryDatabase.ts';

/** What watchers ask the database, over the one in memory: by what is meant, not by how the real one finds it. */
export function readSnapshots(database: MemoryDatabase, asked: { customerId: string }[]): (CustomerState | null)[] {
  return asked.map(({ customerId }) => {
    const newestFirst = database.tradesOf(customerId).toReversed();
    const oldestOpen = newestFirst.findLastIndex(({ status }) => !isFinal(status));
    return stateOf(database, customerId, newestFirst.slice(0, Math.min(Math.max(50, oldestOpen + 1), 1_000)));
  });
}

export function readChanges(database: MemoryDatabase, asked: KnownRevision[]): (CustomerState | 'too many' | null)[] {
  return asked.map(({ customerId, revision }) => {
    const changed = database.tradesOf(customerId).filter((trade) => revisionOf(trade) > revision);
    const revisions = (database.balances.get(customerId)?.revision ?? 0) - revision;
    return revisions > MAX_CHANGED_REVISIONS || changed.length > MAX_CHANGED_TRADES
      ? 'too many'
      : stateOf(database, customerId, changed);
  });
}

export function readNewRevisions(database: MemoryDatabase, known: KnownRevision[]): KnownRevision[] {
  return known.flatMap(({ customerId, revision }) => {
    const now = database.balances.get(customerId)?.revision ?? 0;
    return now > revision ? [{ customerId, revision: now }] : [];
  });
}

function stateOf(database: MemoryDatabase, customerId: string, trades: readonly Trade[]): CustomerState | null {
  const balance = database.balances.get(customerId);
  if (balance === undefined) return null;
  const { revision, amount, held, buysBlocked } = balance;
  const positions = [...database.positions]
    .filter(([key, { quantity }]) => key.startsWith(`${customerId} `) && quantity !== 0n)
    .map(([key, position]) => ({ stockTicker: key.split(' ')[1] ?? '', ...position }))
    .sort((a, b) => (a.stockTicker < b.stockTicker ? -1 : 1));
  const account = { customerId, amount, held, buysBlocked, lastModified: new Date(0), positions };
  return { revision, account, trades: trades.map((trade) => ({ ...trade })) };
}

/** Since when trades are their customers' oldest: when the last of the earlier ones ended. */
export function readTurns(database: MemoryDatabase, trades: { customerId: string; seq: bigint }[]): (Date | null)[] {
  return trades.map(({ customerId, seq }) => {
    const earlier = database.tradesOf(customerId).filter((trade) => trade.seq < seq);
    const ends = earlier.flatMap(({ endedAt }) => (endedAt === null ? [] : [endedAt.getTime()]));
    return ends.length === 0 ? null : new Date(Math.max(...ends));
  });
}
