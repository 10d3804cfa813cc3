import { isUuid } from './ids.ts';
import { formatUsd, parseUsd, type UsdE4 } from './money.ts';
import { isAboutOrder, type OrderReport } from './orderReport.ts';
import type { Refusal } from './refusal.ts';
import type { Trade, TradeType } from './trade.ts';

/**
 * Everything that a report of the exchange says is held against what was allowed here, and nowhere else. What follows when a rule is
 * broken:
 *
 * - set aside: the report is kept for operators and changes nothing. It does not say enough to book, or not about our order. The lane
 *   goes on asking the exchange by id.
 * - booked: it is a real fill of our order, and the customer's money and shares have moved at the exchange. It moves them here too, and
 *   is kept for operators all the same.
 *
 * Both alert. docs/reports.md has each rule in a sentence.
 */
export const REPORT_RULES = {
  // Does it say enough?
  'order-id': 'set aside',
  side: 'set aside',
  state: 'set aside',
  'executed-at': 'set aside',
  'execution-id': 'set aside',
  price: 'set aside',
  'fill-of-a-rejection': 'set aside',
  // Is it about our order, as it stands?
  trade: 'set aside',
  order: 'set aside',
  attempt: 'set aside',
  'never-sent': 'set aside',
  execution: 'set aside',
  ended: 'set aside',
  figures: 'set aside',
  // Is the fill what was allowed?
  limit: 'booked',
  'far-better': 'booked',
  'before-sent': 'booked',
  future: 'booked',
  'rejection-of-a-fill': 'booked',
} as const satisfies Record<string, 'set aside' | 'booked'>;

export type ReportRule = keyof typeof REPORT_RULES;

/** A rule that a report breaks, in words for operators. */
export interface BrokenRule {
  rule: ReportRule;
  why: string;
}

/** A report as it was worded: nothing of it is believed yet. */
export interface WordedReport {
  orderId: string;
  stockTicker: string;
  type: TradeType | undefined;
  quantity: number;
  /** 0 for the first. */
  attempt: number;
  state: 'open' | 'filled' | 'rejected' | undefined;
  price: string;
  executionId: string;
  executedAt: Date | undefined;
  /** Undefined when neither a reason nor words are given. */
  refusal: Refusal | undefined;
}

/** What a protobuf Timestamp may say: JavaScript and PostgreSQL take more, which no client could be told. */
const EARLIEST = new Date('0001-01-01T00:00:00Z');
const LATEST = new Date('9999-12-31T23:59:59.999Z');
const MAX_ID_CHARACTERS = 64;

/** Does the report say enough? The first rule that it breaks, or what it says. */
export function readReport(worded: WordedReport): OrderReport | 'open' | BrokenRule {
  const { orderId, stockTicker, type, quantity, attempt, state, executedAt } = worded;
  if (!isUuid(orderId)) return { rule: 'order-id', why: 'client_order_id is not a UUID' };
  if (type === undefined) return { rule: 'side', why: 'side is not set' };
  if (attempt < 0) return { rule: 'attempt', why: 'attempt is negative' };
  if (state === 'open') return 'open';
  if (executedAt === undefined || Number.isNaN(executedAt.getTime()))
    return { rule: 'executed-at', why: 'executed_at is not set' };
  if (executedAt < EARLIEST || executedAt > LATEST)
    return { rule: 'executed-at', why: 'executed_at is not in the years 1 to 9999' };
  const outcome = readOutcome(worded, executedAt);
  if ('rule' in outcome) return outcome;
  return { tradeId: orderId, stockTicker, type, quantity, ...(attempt === 0 ? {} : { attempt }), outcome };
}

function readOutcome(worded: WordedReport, executedAt: Date): OrderReport['outcome'] | BrokenRule {
  const { state, executionId, refusal } = worded;
  switch (state) {
    case 'filled': {
      if (!isExecutionId(executionId))
        return {
          rule: 'execution-id',
          why: `execution_id must have 1 to ${MAX_ID_CHARACTERS} characters, none of them a control character`,
        };
      const price = readPrice(worded.price);
      if (price === null)
        return { rule: 'price', why: 'price must be a positive decimal below 1,000,000,000 with at most four places' };
      const filled = { kind: 'filled', price, executionId, executedAt } as const;
      return refusal === undefined ? filled : { ...filled, saysRejected: true };
    }
    case 'rejected':
      // It would release the hold of an order that may have been filled.
      if (worded.price !== '' || executionId !== '')
        return { rule: 'fill-of-a-rejection', why: 'a rejection has a price or an execution_id' };
      return { kind: 'rejected', refusal: refusal ?? { code: 'EXCHANGE_REJECTED', message: 'no reason given' }, executedAt };
    default:
      return { rule: 'state', why: 'state is not set' };
  }
}

function isExecutionId(text: string): boolean {
  return text !== '' && text.length <= MAX_ID_CHARACTERS && text.isWellFormed() && !/\p{Cc}/u.test(text);
}

/** A thousand times the dearest share there has been, and no position in it overflows a balance. */
const PRICE_BOUND = parseUsd('1000000000');

/** Null for anything but a decimal above zero and below a billion, with at most four places. */
export function readPrice(text: string): UsdE4 | null {
  try {
    const price = parseUsd(text);
    return price > 0n && price < PRICE_BOUND ? price : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/**
 * Why the store's statement has left the trade as it is. The statement decides by the same rules, on a row that it has locked.
 *
 * @param trade as it is now, and not ended as the report says; null when there is none
 */
export function whySetAside(report: OrderReport, trade: Trade | null): BrokenRule {
  if (trade === null) return { rule: 'trade', why: 'no trade has this id' };
  if (!isAboutOrder(report, trade)) return { rule: 'order', why: 'the ticker, side or quantity is not that of the trade' };
  const attempt = report.attempt ?? 0;
  if (attempt !== trade.attempt)
    return { rule: 'attempt', why: `it is about attempt ${attempt}, and the trade is at ${trade.attempt}` };
  switch (trade.status) {
    case 'placed':
      return { rule: 'never-sent', why: 'the trade was never sent to the exchange' };
    case 'executed':
      return report.outcome.kind === 'filled'
        ? { rule: 'execution', why: `execution ${report.outcome.executionId} was booked for another trade` }
        : { rule: 'never-sent', why: 'the trade was not sent yet when the report came' };
    case 'filled':
    case 'rejected':
      return { rule: 'ended', why: `the trade is ${trade.status} already, with another outcome` };
  }
}

/** The database cannot hold what the report says. */
export const REFUSED_FIGURES: BrokenRule = { rule: 'figures', why: 'the database refuses its figures' };

/** Clocks of the exchange and of ours that differ by this tell nothing about a fill. */
const CLOCK_TOLERANCE_MS = 1_000;
/** How many times better than its limit a fill may be. The limit is within 5 % of the market, so that this is somebody's mistake. */
const FAR_BETTER = 2n;

/**
 * What is wrong with a fill that has been booked; nothing for a rejection, which moves no money.
 *
 * @param trade as the report has left it
 */
export function doubtsAbout(report: OrderReport, trade: Trade, nowMs: number): BrokenRule[] {
  const { outcome } = report;
  const { type, limitPrice: limit, submittedAt } = trade;
  if (outcome.kind !== 'filled' || limit === null || submittedAt === null) return [];
  const { price, executedAt } = outcome;
  const doubts: BrokenRule[] = [];
  const doubt = (isBroken: boolean, rule: ReportRule, why: string) => {
    if (isBroken) doubts.push({ rule, why });
  };
  const [buys, at] = [type === 'buy', `filled at ${formatUsd(price)}`];
  doubt(buys ? price > limit : price < limit, 'limit', `${at}, ${buys ? 'above' : 'below'} its limit ${formatUsd(limit)}`);
  doubt(
    buys ? price * FAR_BETTER < limit : price > limit * FAR_BETTER,
    'far-better',
    `${at}, ${buys ? 'less than half of' : 'more than twice'} its limit ${formatUsd(limit)}`,
  );
  const executedMs = executedAt.getTime();
  const time = `executed at ${executedAt.toISOString()}`;
  doubt(executedMs < submittedAt.getTime() - CLOCK_TOLERANCE_MS, 'before-sent', `${time}, before it was sent`);
  doubt(executedMs > nowMs + CLOCK_TOLERANCE_MS, 'future', `${time}, which is in the future`);
  doubt(outcome.saysRejected === true, 'rejection-of-a-fill', 'a fill with a reason for a rejection');
  return doubts;
}
