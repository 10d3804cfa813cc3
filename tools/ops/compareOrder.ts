import { formatUsd, isAboutOrder, isSameOutcome, type OrderReport, type Trade } from '@stockbroker/trading';
import { type Found, outcome } from './whyStuck.ts';

/** How a trade here and an order there stand to each other. */
export type Comparison =
  | { kind: 'same' }
  /** Not ended on one side or both, and that may be. */
  | { kind: 'in-flight' }
  | Difference;

export interface Difference {
  /** missing: here, not at the exchange. extra: at the exchange, not here. */
  kind: 'missing' | 'extra' | 'different';
  why: string;
  /** The exchange's own result, when settling with it would mend the difference. */
  settleWith?: OrderReport;
}

const SAME: Comparison = { kind: 'same' };
const IN_FLIGHT: Comparison = { kind: 'in-flight' };

/**
 * @param trade null when no trade has the order's id
 * @param sinceMs what was sent after this moment may be under way still: orders on their way, callbacks being made
 */
export function compareOrder(trade: Trade | null, found: Found, sinceMs: number): Comparison {
  if (found instanceof Error) return { kind: 'different', why: `the exchange's report breaks its contract: ${found.message}` };
  if (trade === null) return found === 'unknown' ? SAME : { kind: 'extra', why: `no trade here, ${there(found)}` };
  if (typeof found !== 'string' && !isAboutOrder(found, trade)) return { kind: 'different', why: anotherOrder(trade, found) };
  switch (trade.status) {
    case 'placed':
      return found === 'unknown' ? SAME : { kind: 'different', why: `never sent by us, ${there(found)}` };
    case 'executed':
      return compareExecuted(trade, found, sinceMs);
    case 'filled':
    case 'rejected':
      return compareFinal(trade, found);
  }
}

function compareExecuted(trade: Trade, found: OrderReport | 'open' | 'unknown', sinceMs: number): Comparison {
  if (found === 'open' || (trade.submittedAt ?? trade.createdAt).getTime() > sinceMs) return IN_FLIGHT;
  if (found === 'unknown') return { kind: 'missing', why: 'marked executed here; its leader asks and sends it again' };
  return { kind: 'different', why: `executed here, ${there(found)}: not settled`, settleWith: found };
}

function compareFinal(trade: Trade, found: OrderReport | 'open' | 'unknown'): Comparison {
  const here =
    trade.status === 'filled' ? `filled at ${formatUsd(trade.price ?? 0n)} here` : `rejected (${trade.rejectCode}) here`;
  if (found === 'unknown') {
    // Rejected before it was sent; or sent, and refused as malformed, so that it never was an order.
    const neverAnOrder = trade.status === 'rejected' && (trade.submittedAt === null || trade.rejectCode === 'EXCHANGE_REJECTED');
    return neverAnOrder ? SAME : { kind: 'missing', why: here };
  }
  if (found === 'open') return { kind: 'different', why: `${here}, open at the exchange` };
  if (isSameOutcome(found, trade)) return SAME;
  return { kind: 'different', why: `${here}, ${there(found)}${details(trade, found)}` };
}

function there(found: OrderReport | 'open' | 'unknown'): string {
  if (typeof found === 'string') return `${found} at the exchange`;
  return `${outcome(found)} at the exchange`;
}

/** What differs when the results themselves look the same. */
function details(trade: Trade, { outcome: ended }: OrderReport): string {
  if (trade.status !== ended.kind) return '';
  const parts = [
    ended.kind === 'filled' && ended.executionId !== trade.executionId
      ? `execution ${trade.executionId}, there ${ended.executionId}`
      : '',
    ended.kind === 'rejected' && ended.refusal.code !== trade.rejectCode ? `there ${ended.refusal.code}` : '',
    ended.executedAt.getTime() === trade.executedAt?.getTime()
      ? ''
      : `at ${trade.executedAt?.toISOString()}, there ${ended.executedAt.toISOString()}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
}

function anotherOrder(trade: Trade, found: OrderReport): string {
  const words = ({ type, quantity, stockTicker }: Pick<Trade, 'type' | 'quantity' | 'stockTicker'>) =>
    `${type} ${quantity} ${stockTicker}`;
  return `${words(trade)} here, ${words(found)} at the exchange`;
}
