import { formatUsd, isAboutOrder, isOfEarlierAttempt, isSameOutcome, type OrderReport, type Trade } from '@stockbroker/trading';
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
export function compareOrder(trade: Trade | null, there: Found, sinceMs: number): Comparison {
  const found = trade === null ? there : ofThisAttempt(trade, there);
  if (found instanceof Error) return { kind: 'different', why: `the exchange's report breaks its contract: ${found.message}` };
  if (trade === null) return found === 'unknown' ? SAME : { kind: 'extra', why: `no trade here, ${stateThere(found)}` };
  if (typeof found !== 'string' && !isAboutOrder(found, trade)) return { kind: 'different', why: anotherOrder(trade, found) };
  switch (trade.status) {
    case 'placed':
      return found === 'unknown' ? SAME : comparePlaced(found);
    case 'executed':
      return compareExecuted(trade, found, sinceMs);
    case 'filled':
    case 'rejected':
      return compareFinal(trade, found);
  }
}

/** Rows that were put back to before the trade was sent, by a restore or a failover: it is adopted, and then settled. */
function comparePlaced(found: OrderReport | 'open'): Comparison {
  const why = `never sent by us, ${stateThere(found)}`;
  return typeof found === 'string' ? { kind: 'different', why } : { kind: 'different', why, settleWith: found };
}

/** What the exchange has sent back, because it was closed, is over: of the next attempt it knows nothing yet. */
function ofThisAttempt(trade: Trade, found: Found): Found {
  if (typeof found === 'string' || found instanceof Error) return found;
  return isOfEarlierAttempt(found, trade) ? 'unknown' : found;
}

function compareExecuted(trade: Trade, found: OrderReport | 'open' | 'unknown', sinceMs: number): Comparison {
  if (found === 'open' || (trade.submittedAt ?? trade.createdAt).getTime() > sinceMs) return IN_FLIGHT;
  if (found === 'unknown') return { kind: 'missing', why: 'marked executed here; its leader asks and sends it again' };
  return { kind: 'different', why: `executed here, ${stateThere(found)}: not settled`, settleWith: found };
}

function compareFinal(trade: Trade, found: OrderReport | 'open' | 'unknown'): Comparison {
  const here =
    trade.status === 'filled' ? `filled at ${formatUsd(trade.price ?? 0n)} here` : `rejected (${trade.rejectCode}) here`;
  if (found === 'unknown') {
    // Rejected before it was sent, or sent again; or marked in the last moment of the session; or refused as malformed: never an order.
    const isUnsent = trade.submittedAt === null || trade.attempt > 0 || trade.rejectCode === 'MARKET_CLOSED';
    const neverAnOrder = trade.status === 'rejected' && (isUnsent || trade.rejectCode === 'EXCHANGE_REJECTED');
    return neverAnOrder ? SAME : { kind: 'missing', why: here };
  }
  if (found === 'open') return { kind: 'different', why: `${here}, open at the exchange` };
  if (isSameOutcome(found, trade)) return SAME;
  return { kind: 'different', why: `${here}, ${stateThere(found)}${details(trade, found)}` };
}

function stateThere(found: OrderReport | 'open' | 'unknown'): string {
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
