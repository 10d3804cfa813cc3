import { type Evidence, isFinalStatus, type Violation } from './evidence.ts';

const CHECK = 'ended';

/** In the end no trade is open, and none stands in open_trades. */
export function checkEnded(evidence: Evidence): Violation[] {
  const open = evidence.tables.trades.filter(({ status }) => !isFinalStatus(status));
  return [
    ...open.map(({ id, customerId, status }) => ({
      check: CHECK,
      message: `trade ${id} never ended: it is ${status}`,
      customerId,
      tradeId: id,
    })),
    ...checkOpenTrades(evidence),
  ];
}

/** open_trades has the trades that are placed or executed, each once, and no other. */
export function checkOpenTrades({ tables }: Evidence): Violation[] {
  const rows = new Map(tables.trades.map((row) => [row.id, row]));
  const listed = new Set(tables.openTradeIds);
  const mislaid = [
    ...tables.openTradeIds.filter((id) => isFinalStatus(rows.get(id)?.status ?? 'filled')),
    ...tables.trades.filter(({ id, status }) => !isFinalStatus(status) && !listed.has(id)).map(({ id }) => id),
  ];
  if (listed.size !== tables.openTradeIds.length) return [{ check: CHECK, message: 'open_trades has a trade twice' }];
  return mislaid.map((tradeId) => {
    const row = rows.get(tradeId);
    const message = `open_trades and trades disagree about ${tradeId} (${row?.status ?? 'not stored'})`;
    return { check: CHECK, message, tradeId, ...(row === undefined ? {} : { customerId: row.customerId }) };
  });
}
