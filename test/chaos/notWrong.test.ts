import { checkEvidence } from '@stockbroker/testkit';
import { describe, expect, test } from 'vitest';
import { CANCELED, call, cancels, consistentHistory, order, row, shown } from './history.ts';

describe('what is not known is not taken for wrong', () => {
  test.each(['MARKET_CLOSED', 'CANCELED'] as const)(
    'a trade that ends as %s may pass by one that waits for the open',
    (rejectCode) => {
      const evidence = consistentHistory();
      Object.assign(row(evidence, 0), { executedRevision: 6, finalRevision: 7 });
      Object.assign(row(evidence, 1), { rejectCode, placedRevision: 4, finalRevision: 5 });
      Object.assign(shown(call(evidence, 5)), { rejectCode });
      if (rejectCode === 'CANCELED') cancels(evidence, 1, CANCELED);
      // Its end was seen, and after that the account as it was before the one that waits.
      evidence.clientLog.splice(2, 1);
      const account = {
        cash: 10_000_000n,
        held: 0n,
        buysBlocked: false,
        positions: [{ stockTicker: 'AAPL', quantity: 5n, held: 0n }],
      };
      const read = { ...call(evidence, -1), method: 'GetAccount' as const, startedMs: 190, endedMs: 195 };
      evidence.clientLog.push({ ...read, answer: { kind: 'account', account } });
      expect(checkEvidence(evidence)).toEqual([]);
    },
  );

  test('a trade that the exchange has sent back is placed again, sent after a later one, and canceled', () => {
    const evidence = consistentHistory();
    const [sold, bought] = [row(evidence, 2), row(evidence, 0)];
    Object.assign(bought, { attempt: 1, submittedAt: new Date((sold.executedAt?.getTime() ?? 0) + 1) });
    const executedAt = new Date((sold.executedAt?.getTime() ?? 0) + 2);
    Object.assign(bought, { executedAt });
    Object.assign(order(evidence, 0), { attempt: 1, executedAtMs: executedAt.getTime() });
    const last = shown(call(evidence, 2));
    Object.assign(last, { submittedAtMs: bought.submittedAt?.getTime(), executedAtMs: executedAt.getTime() });
    // Before, it was seen executed as its first attempt, then placed.
    for (const [i, status] of (['executed', 'placed'] as const).entries()) {
      const was = {
        ...last,
        status,
        limitPrice: 1n,
        hold: 1n,
        price: null,
        executionId: null,
        submittedAtMs: 1,
        executedAtMs: null,
      };
      const seenAtMs = { startedMs: 20 + 10 * i, endedMs: 25 + 10 * i };
      evidence.clientLog.push({ ...call(evidence, 2), ...seenAtMs, answer: { kind: 'trade', trade: was } });
    }
    expect(checkEvidence(evidence)).toEqual([]);
  });

  test('a trade whose placement was never answered may be stored', () => {
    const evidence = consistentHistory();
    evidence.clientLog.splice(4, 2);
    expect(checkEvidence(evidence)).toEqual([]);
  });

  test('answers to calls that overlap may come in any order', () => {
    const evidence = consistentHistory();
    evidence.clientLog.push({ ...call(evidence, 1), method: 'GetTrade', startedMs: 84, endedMs: 200 });
    expect(checkEvidence(evidence)).toEqual([]);
  });
});
