import type { OpeningAccount } from '@stockbroker/store';
import { checkOpenTrades } from './checks/ended.ts';
import type { Check } from './checks/evidence.ts';
import { checkOrders, checkOutcomes } from './checks/journalOrders.ts';
import { checkCash, checkHolds, checkShares } from './checks/moneyAndShares.ts';
import { checkNegative } from './checks/negative.ts';
import { checkOneAtATime } from './checks/oneAtATime.ts';
import { checkPlacementOrder } from './checks/placementOrder.ts';
import { type EvidenceSources, readEvidence } from './checks/readEvidence.ts';
import { checkRevisions } from './checks/revisions.ts';

export interface BooksOptions extends EvidenceSources {
  /** What each customer began with. */
  openings: OpeningAccount[];
  /** How many trades were acknowledged to clients. */
  expectedTrades?: number;
  /** True when the test made the exchange lie about fills: then the journal's results need not be the broker's. */
  exchangeLied?: boolean;
}

export interface BooksReport {
  trades: number;
  byStatus: Record<string, number>;
  rejectedByCode: Record<string, number>;
  /** Empty when the books are exact. Each in words, with the ids it is about. */
  violations: string[];
}

const ALWAYS: Check[] = [checkCash, checkShares, checkHolds, checkOpenTrades, checkOrders, checkPlacementOrder, checkRevisions];
/** What holds only of an exchange that keeps to its own journal. */
const OF_AN_HONEST_EXCHANGE: Check[] = [checkOutcomes, checkOneAtATime, checkNegative];

/**
 * Proves the books over the final tables and the exchange's own journal: cash and shares are the openings plus and minus the
 * fills, holds are those of open trades, every fill in the journal is booked once and none is invented, and each customer's
 * trades reached the exchange in the order placed, one at a time.
 */
export async function checkBooks(options: BooksOptions): Promise<BooksReport> {
  const { openings, expectedTrades, exchangeLied = false } = options;
  const { tables, journal } = await readEvidence(options);
  const checks = exchangeLied ? ALWAYS : [...ALWAYS, ...OF_AN_HONEST_EXCHANGE];
  const evidence = { openings, clientLog: [], journal, tables, lies: [] };
  const violations = checks.flatMap((check) => check(evidence)).map(({ message }) => message);
  const { trades } = tables;
  if (expectedTrades !== undefined && trades.length !== expectedTrades) {
    violations.push(`${trades.length} trades are stored, ${expectedTrades} were acknowledged`);
  }
  return {
    trades: trades.length,
    byStatus: countBy(trades, (trade) => trade.status),
    rejectedByCode: countBy(
      trades.filter((trade) => trade.rejectCode !== null),
      (trade) => String(trade.rejectCode),
    ),
    violations,
  };
}

function countBy<T>(items: T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}
