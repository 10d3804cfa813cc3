import { type Trade, versionsOf } from '@stockbroker/trading';
import { type Evidence, endsOutOfTurn, groupBy, type Violation } from './evidence.ts';

const CHECK = 'revisions';

/**
 * A customer's changes are numbered as they happened: no revision twice, each trade's in the order of its life, placing and ending in
 * the order placed, and none beyond the customer's own count. Clients who were away are told what they missed by these numbers.
 */
export function checkRevisions({ tables }: Evidence): Violation[] {
  const counts = new Map(tables.balances.map(({ customerId, revision }) => [customerId, revision]));
  return [...groupBy(tables.trades, ({ customerId }) => customerId)].flatMap(([customerId, trades]) => {
    const problem = problemOf(trades, counts.get(customerId) ?? 0);
    return problem === undefined ? [] : [{ check: CHECK, message: `revisions of ${customerId}: ${problem}`, customerId }];
  });
}

/** @param trades of one customer, in the order placed */
function problemOf(trades: Trade[], count: number): string | undefined {
  const seen = new Set<number>();
  for (const { id, placedRevision, status, executedRevision, finalRevision, ...rest } of trades) {
    const isComplete =
      (status === 'filled' || status === 'rejected') === (finalRevision !== null) &&
      (rest.submittedAt !== null) === (executedRevision !== null);
    if (!isComplete)
      return `trade ${id} is ${status}, and has the revisions ${placedRevision}, ${executedRevision}, ${finalRevision}`;
  }
  for (const revision of trades.flatMap(versionsOf).map((version) => version.revision)) {
    if (revision > count) return `${revision} is beyond the customer's ${count}`;
    if (seen.has(revision)) return `${revision} is there twice`;
    seen.add(revision);
  }
  const inOrder: (number | null)[][] = [
    ...trades.map((trade) => [trade.placedRevision, trade.executedRevision, trade.finalRevision]),
    trades.map(({ placedRevision }) => placedRevision),
    trades.filter((trade) => !endsOutOfTurn(trade)).map(({ finalRevision }) => finalRevision),
  ];
  const wrong = inOrder
    .map((revisions) => revisions.filter((revision) => revision !== null))
    .find((revisions) => !rises(revisions));
  return wrong === undefined ? undefined : `${wrong.join(', ')} should rise`;
}

function rises(revisions: number[]): boolean {
  return revisions.every((revision, i) => i === 0 || revision > (revisions[i - 1] ?? 0));
}
