import { type ClientCall, type Evidence, groupBy, type Violation } from './evidence.ts';

const CHECK = 'acknowledged';

/**
 * Every trade that a client was shown is stored, as it was ordered; every stored trade was asked for; and nothing is stored of a
 * request that was only ever refused for good.
 */
export function checkAcknowledged({ clientLog, tables }: Evidence): Violation[] {
  const rows = new Map(tables.trades.map((row) => [row.id, row]));
  const placements = clientLog.filter(({ method }) => method === 'PlaceTrade');
  const violations: Violation[] = [];
  for (const call of placements) {
    if (call.answer.kind !== 'trade' || call.request === undefined) continue;
    const { orderId } = call.answer.trade;
    const about = { check: CHECK, customerId: call.customerId, tradeId: orderId };
    const row = rows.get(orderId);
    if (row === undefined) violations.push({ ...about, message: `trade ${orderId} was acknowledged, but is not stored` });
    else if (row.customerId !== call.customerId || row.clientOrderId !== call.request.clientOrderId || !isSame(call.request, row))
      violations.push({ ...about, message: `trade ${orderId} is stored otherwise than it was ordered` });
  }
  const asked = groupBy(placements, keyOf);
  for (const { id, customerId, clientOrderId, stockTicker, type, quantity, queueForOpen } of tables.trades) {
    const about = { check: CHECK, customerId, tradeId: id };
    const calls = (asked.get(`${customerId} ${clientOrderId}`) ?? []).filter(
      ({ request }) => request !== undefined && isSame(request, { stockTicker, type, quantity, queueForOpen }),
    );
    if (calls.length === 0) violations.push({ ...about, message: `trade ${id} is stored, but nobody ordered it` });
    else if (calls.every(({ answer }) => answer.kind === 'error' && answer.isDefinite))
      violations.push({ ...about, message: `trade ${id} is stored, but its order was refused` });
  }
  return unique(violations);
}

type Content = { stockTicker: string; type: string; quantity: number; queueForOpen?: boolean };

function isSame(a: Content, b: Content): boolean {
  const { queueForOpen = false } = a;
  const isSamePolicy = queueForOpen === (b.queueForOpen ?? false);
  return a.stockTicker === b.stockTicker && a.type === b.type && a.quantity === b.quantity && isSamePolicy;
}

function keyOf({ customerId, request }: ClientCall): string {
  return `${customerId} ${request?.clientOrderId}`;
}

/** A trade acknowledged several times is one violation. */
function unique(violations: Violation[]): Violation[] {
  return [...new Map(violations.map((violation) => [violation.message, violation])).values()];
}
