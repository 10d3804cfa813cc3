import type { Trade } from '@stockbroker/trading';
import { type Evidence, groupBy, type Violation } from './evidence.ts';
import { inOrderPlaced } from './placementOrder.ts';

const CHECK = 'one at a time';

/**
 * A customer's next trade was marked executed, which is before it is sent, only after the exchange had completed the one before.
 * Both moments are taken from clocks of one machine, in whole milliseconds.
 */
export function checkOneAtATime({ tables, journal }: Evidence): Violation[] {
  const completed = new Map(journal.map(({ orderId, executedAtMs }) => [orderId, executedAtMs]));
  const violations: Violation[] = [];
  for (const [customerId, trades] of groupBy(inOrderPlaced(tables.trades), (trade) => trade.customerId)) {
    let before: { id: string; endedMs: number } | undefined;
    // One that the exchange has sent back is sent again later, after others; only its last time is known.
    for (const { id, submittedAt } of trades.toSorted(bySubmission)) {
      if (submittedAt === null) continue;
      if (before !== undefined && submittedAt.getTime() < before.endedMs) {
        const message = `trade ${id} was sent at ${time(submittedAt.getTime())}, but ${before.id}, sent before it, ended at ${time(before.endedMs)}`;
        violations.push({ check: CHECK, message, customerId, tradeId: id });
      }
      const endedMs = completed.get(id) ?? null;
      before = { id, endedMs: endedMs ?? Number.POSITIVE_INFINITY };
    }
  }
  return violations;
}

/** Equal ones stay in the order placed. */
function bySubmission(a: Pick<Trade, 'submittedAt'>, b: Pick<Trade, 'submittedAt'>): number {
  return (a.submittedAt?.getTime() ?? 0) - (b.submittedAt?.getTime() ?? 0);
}

function time(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(11, 23) : 'no time yet';
}
