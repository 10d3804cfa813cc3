import type { Trade } from '@stockbroker/trading';
import { type ClientCall, type Evidence, groupBy, type Violation } from './evidence.ts';

const CHECK = 'order';

/** Each customer's orders stand in the exchange's journal in the order in which the trades were placed. */
export function checkPlacementOrder({ tables, journal }: Evidence): Violation[] {
  const ranks = new Map(journal.map(({ orderId, sequence }) => [orderId, sequence]));
  const latest = new Map<string, { rank: bigint; id: string }>();
  const violations: Violation[] = [];
  for (const { id, customerId } of inOrderPlaced(tables.trades)) {
    const rank = ranks.get(id);
    if (rank === undefined) continue;
    const before = latest.get(customerId);
    if (before !== undefined && before.rank > rank) {
      const message = `trade ${id} reached the exchange before ${before.id}, which was placed first`;
      violations.push({ check: CHECK, message, customerId, tradeId: id });
    }
    latest.set(customerId, { rank, id });
  }
  return violations;
}

/** A request that began after another of the same customer was acknowledged is a later trade. */
export function checkAcknowledgedOrder({ clientLog, tables }: Evidence): Violation[] {
  const seqs = new Map(tables.trades.map(({ id, seq }) => [id, seq]));
  const violations: Violation[] = [];
  for (const [customerId, calls] of groupBy(clientLog, (call) => call.customerId)) {
    let highest: { seq: bigint; tradeId: string } | undefined;
    const placed = placementsOf(calls).map((placement) => ({ ...placement, seq: seqs.get(placement.tradeId) ?? -1n }));
    const acknowledged = placed.toSorted((a, b) => a.acknowledgedMs - b.acknowledgedMs).values();
    let next = acknowledged.next();
    for (const { tradeId, seq, begunMs } of placed.toSorted((a, b) => a.begunMs - b.begunMs)) {
      for (; !next.done && next.value.acknowledgedMs < begunMs; next = acknowledged.next())
        if (highest === undefined || next.value.seq > highest.seq) highest = next.value;
      if (highest === undefined || seq < 0n || seq > highest.seq) continue;
      const message = `trade ${tradeId} was ordered after ${highest.tradeId} was acknowledged, but stands before it`;
      violations.push({ check: CHECK, message, customerId, tradeId });
    }
  }
  return violations;
}

/** For each trade of one customer, when its request was first sent and when it was first answered with success. */
function placementsOf(calls: ClientCall[]): { tradeId: string; begunMs: number; acknowledgedMs: number }[] {
  const requests = groupBy(
    calls.filter(({ request }) => request !== undefined),
    ({ request }) => request?.clientOrderId ?? '',
  );
  return [...requests.values()].flatMap((attempts) => {
    const answered = attempts.filter(({ answer }) => answer.kind === 'trade');
    const first = answered.toSorted((a, b) => a.endedMs - b.endedMs)[0];
    if (first?.answer.kind !== 'trade') return [];
    const begunMs = Math.min(...attempts.map(({ startedMs }) => startedMs));
    return [{ tradeId: first.answer.trade.orderId, begunMs, acknowledgedMs: first.endedMs }];
  });
}

export function inOrderPlaced(trades: Trade[]): Trade[] {
  return trades.toSorted((a, b) => (a.seq < b.seq ? -1 : 1));
}
