import type { Trade, TradeStatus } from '@stockbroker/trading';
import { type Evidence, groupBy, isFinalStatus, type SeenTrade, tradesIn, type Violation } from './evidence.ts';

const CHECK = 'answers';

interface Sighting {
  trade: SeenTrade;
  startedMs: number;
  endedMs: number;
}

type Ranks = Record<TradeStatus, number>;
const RANKS: Ranks = { placed: 0, executed: 1, filled: 2, rejected: 2 };
/** What the exchange has sent back is placed again, and marked again, with another limit. */
const SENT_BACK_RANKS: Ranks = { ...RANKS, executed: RANKS.placed };

/**
 * No answer is contradicted by a later one, or by the tables: a status only goes forward, what is final never changes, and figures
 * once shown stay. A later answer is one whose call began after the earlier answer had come.
 */
export function checkAnswers({ clientLog, tables }: Evidence): Violation[] {
  const sightings = clientLog.flatMap((call) =>
    tradesIn(call).map((trade) => ({ trade, startedMs: call.startedMs, endedMs: call.endedMs })),
  );
  const rows = new Map(tables.trades.map((row) => [row.id, row]));
  return [...groupBy(sightings, ({ trade }) => trade.orderId)].flatMap(([tradeId, seen]) => {
    const row = rows.get(tradeId);
    if (row === undefined) return []; // `acknowledged` tells.
    const last = { trade: toSeen(row), startedMs: Number.POSITIVE_INFINITY, endedMs: Number.POSITIVE_INFINITY };
    const problem = contradiction([...seen, last], row.attempt > 0 ? SENT_BACK_RANKS : RANKS);
    return problem === null
      ? []
      : [{ check: CHECK, message: `trade ${tradeId}: ${problem}`, customerId: row.customerId, tradeId }];
  });
}

function contradiction(seen: Sighting[], ranks: Ranks): string | null {
  const bad = seen.find(({ trade }) => !isSameWhereBothKnow(trade, seen.at(-1)?.trade ?? trade, ranks));
  if (bad !== undefined) return `it was shown as ${words(bad.trade)}, and is now ${words(seen.at(-1)?.trade ?? bad.trade)}`;
  const byEnd = seen.toSorted((a, b) => a.endedMs - b.endedMs);
  let highest: Sighting | undefined;
  let next = 0;
  for (const sighting of seen.toSorted((a, b) => a.startedMs - b.startedMs)) {
    for (; (byEnd[next]?.endedMs ?? Number.POSITIVE_INFINITY) < sighting.startedMs; next += 1)
      if (highest === undefined || rankOf(byEnd[next], ranks) > rankOf(highest, ranks)) highest = byEnd[next];
    if (highest !== undefined && rankOf(sighting, ranks) < rankOf(highest, ranks))
      return `it was shown as ${highest.trade.status} and later as ${sighting.trade.status}`;
  }
  return null;
}

function rankOf(sighting: Sighting | undefined, ranks: Ranks): number {
  return sighting === undefined ? -1 : ranks[sighting.trade.status];
}

/** What was ordered never changes; the limit, hold and time of sending, once set, neither; what is final is the same in all. */
function isSameWhereBothKnow(a: SeenTrade, b: SeenTrade, ranks: Ranks): boolean {
  const [earlier, later] = ranks[a.status] <= ranks[b.status] ? [a, b] : [b, a];
  const always = ['customerId', 'clientOrderId', 'stockTicker', 'type', 'quantity'] as const;
  const sent = ['limitPrice', 'hold', 'submittedAtMs'] as const;
  const final = ['status', 'rejectCode', 'price', 'executionId', 'executedAtMs'] as const;
  const keys = [
    ...always,
    ...(ranks[earlier.status] === ranks.placed ? [] : sent),
    ...(isFinalStatus(earlier.status) ? final : []),
  ] as const;
  return keys.every((key) => earlier[key] === later[key]);
}

function toSeen(row: Trade): SeenTrade {
  const { id, customerId, clientOrderId, stockTicker, type, quantity, status, rejectCode, limitPrice, hold, price } = row;
  return {
    orderId: id,
    customerId,
    clientOrderId,
    stockTicker,
    type,
    quantity,
    status,
    rejectCode,
    limitPrice,
    hold,
    price,
    executionId: row.executionId,
    submittedAtMs: row.submittedAt?.getTime() ?? null,
    executedAtMs: row.executedAt?.getTime() ?? null,
  };
}

function words({ status, rejectCode, price, executionId }: SeenTrade): string {
  return [status, rejectCode, price, executionId].filter((part) => part !== null).join(' ');
}
