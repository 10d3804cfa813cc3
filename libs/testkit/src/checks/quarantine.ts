import type { QuarantineRow } from '@stockbroker/store';
import { formatUsd } from '@stockbroker/trading';
import type { Evidence, JournalOrder, Violation } from './evidence.ts';

const CHECK = 'quarantine';

/**
 * Each row of the quarantine that was not booked is a report that the exchange's journal contradicts: a lie, and therefore rightly there. Each lie that the
 * exchange was made to tell by name, and that was answered with success, has its row; and so has each fill that was booked although it
 * is beyond its order's limit.
 */
export function checkQuarantine({ tables, journal, lies }: Evidence): Violation[] {
  const orders = new Map(journal.map((order) => [order.orderId, order]));
  const kept = new Set(tables.quarantine.map(({ tradeId }) => tradeId));
  const suspect = new Set(tables.quarantine.filter(({ booked }) => booked).map(({ tradeId }) => tradeId));
  const customers = new Map(tables.trades.map(({ id, customerId }) => [id, customerId]));
  const about = (tradeId: string | null) => {
    const customerId = customers.get(tradeId ?? '');
    return { check: CHECK, ...(tradeId === null ? {} : { tradeId }), ...(customerId === undefined ? {} : { customerId }) };
  };
  return [
    ...tables.quarantine
      .filter((row) => !row.booked && isTrue(row, orders.get(row.tradeId ?? '')))
      .map(({ tradeId, why }) => ({ ...about(tradeId), message: `a true report of ${tradeId} is in the quarantine: ${why}` })),
    ...journal
      .filter((order) => isBeyondLimit(order) && customers.has(order.orderId) && !suspect.has(order.orderId))
      .map(({ orderId }) => ({
        ...about(orderId),
        message: `a fill beyond the limit of ${orderId} was booked, but is not in the quarantine`,
      })),
    ...lies
      .filter(({ tradeId, delivered }) => delivered && !kept.has(tradeId))
      .map(({ tradeId, what }) => ({
        ...about(tradeId),
        message: `${what} was taken, but is not in the quarantine: ${tradeId}`,
      })),
  ];
}

function isBeyondLimit({ type, price, limitPrice }: JournalOrder): boolean {
  return price !== null && (type === 'buy' ? price > limitPrice : price < limitPrice);
}

/** What a report says, in whichever JSON it was kept: the callback's or the lane's. */
interface Report {
  ticker?: string;
  quantity?: number;
  price?: string;
  executionId?: string;
  outcome?: { kind?: string; price?: string; executionId?: string };
}

/** Whether the report is what the journal says, which then was wrongly refused. What cannot be read is no true report. */
function isTrue({ raw }: QuarantineRow, order: JournalOrder | undefined): boolean {
  if (order === undefined) return false;
  const report = parse(raw);
  if (report === undefined || (report.quantity ?? order.quantity) !== order.quantity) return false;
  if ((report.ticker ?? order.stockTicker) !== order.stockTicker) return false;
  const executionId = report.outcome?.executionId ?? report.executionId ?? '';
  const price = report.outcome?.price ?? report.price ?? '';
  if (order.state !== 'filled') return executionId === '' && price === '';
  return executionId === order.executionId && (price === formatUsd(order.price ?? 0n) || price === String(order.price));
}

function parse(raw: string): Report | undefined {
  try {
    const json: unknown = JSON.parse(raw);
    return typeof json === 'object' && json !== null ? (json as Report) : undefined;
  } catch {
    return undefined;
  }
}
