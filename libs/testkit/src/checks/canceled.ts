import { type Evidence, groupBy, type Violation } from './evidence.ts';

const CHECK = 'canceled';

/**
 * What a client was told of a cancellation is so: a canceled trade ends as that, and the exchange never had it; one for which it was too
 * late does not; and none is canceled that nobody wanted to cancel.
 */
export function checkCanceled({ clientLog, tables, journal }: Evidence): Violation[] {
  const rows = new Map(tables.trades.map((row) => [row.id, row]));
  // What it has sent back before may be canceled afterwards.
  const sent = new Set(
    journal.filter(({ orderId, attempt }) => attempt >= (rows.get(orderId)?.attempt ?? 0)).map(({ orderId }) => orderId),
  );
  const cancellations = groupBy(
    clientLog.filter(({ method }) => method === 'CancelTrade'),
    ({ orderId }) => orderId ?? '',
  );
  const violations: Violation[] = [];
  for (const [tradeId, calls] of cancellations) {
    const isCanceled = rows.get(tradeId)?.rejectCode === 'CANCELED';
    for (const { customerId, answer } of calls) {
      const tell = (message: string) =>
        violations.push({ check: CHECK, message: `trade ${tradeId} ${message}`, customerId, tradeId });
      if (answer.kind === 'trade') {
        const { orderId, status, rejectCode } = answer.trade;
        if (orderId !== tradeId || rejectCode !== 'CANCELED') tell(`was to be canceled, and the answer was ${orderId} ${status}`);
        if (!isCanceled) tell('was answered as canceled, but is not');
        if (sent.has(tradeId)) tell('was answered as canceled, but the exchange has the order');
      } else if (answer.kind === 'error' && answer.code === 'FAILED_PRECONDITION' && isCanceled) {
        tell('was too late to be canceled, but is canceled');
      }
    }
  }
  for (const { id, customerId, rejectCode } of tables.trades) {
    if (rejectCode !== 'CANCELED' || cancellations.has(id) || clientLog.length === 0) continue;
    violations.push({ check: CHECK, message: `trade ${id} is canceled, but nobody wanted that`, customerId, tradeId: id });
  }
  return violations;
}
