import { BrokerError, RejectCode, SessionPolicy, type Trade, TradeStatus, TradeType } from '@stockbroker/client';
import { count, dollars, usdOf } from './money.ts';

export const isBuy = ({ type }: { type: TradeType }): boolean => type === TradeType.TRADE_TYPE_BUY;

/** "Buy 10 AAPL". */
export function orderWords(order: { type: TradeType; quantity: number; stockTicker: string }): string {
  return `${isBuy(order) ? 'Buy' : 'Sell'} ${count(order.quantity)} ${order.stockTicker}`;
}

export type Status = 'placed' | 'executed' | 'filled' | 'rejected';

export function statusOf({ status }: Trade): Status {
  switch (status) {
    case TradeStatus.TRADE_STATUS_FILLED:
      return 'filled';
    case TradeStatus.TRADE_STATUS_REJECTED:
      return 'rejected';
    case TradeStatus.TRADE_STATUS_EXECUTED:
      return 'executed';
    default:
      return 'placed';
  }
}

const STATUS_WORDS: Record<Status, string> = {
  placed: 'Placed',
  executed: 'At the exchange',
  filled: 'Filled',
  rejected: 'Rejected',
};

export function statusWords(trade: Trade): string {
  if (isWaiting(trade)) return 'Waiting for the open';
  return isCanceled(trade) ? 'Canceled' : STATUS_WORDS[statusOf(trade)];
}

/** Not sent yet, at the latest when the market opens: until then it can be canceled. */
export const isWaiting = (trade: Trade): boolean =>
  statusOf(trade) === 'placed' && trade.sessionPolicy === SessionPolicy.SESSION_POLICY_QUEUE_FOR_OPEN;

export const isCanceled = ({ rejectCode }: Trade): boolean => rejectCode === RejectCode.REJECT_CODE_CANCELED;

export const isTooEarly = ({ rejectCode }: Trade): boolean => rejectCode === RejectCode.REJECT_CODE_MARKET_CLOSED;

export const isOpen = (trade: Trade): boolean => ['placed', 'executed'].includes(statusOf(trade));

/** What a filled trade cost or brought. */
export function tradeValue(trade: Trade): bigint | undefined {
  const price = usdOf(trade.price);
  return price === undefined ? undefined : price * BigInt(trade.quantity);
}

/** Why a trade was rejected, in plain words and with its figures. */
export function rejectionWords(trade: Trade): string {
  const { stockTicker, rejectFigures, reason } = trade;
  const { needed = '', available = '' } = rejectFigures ?? {};
  const money = (text: string) => dollars(usdOf(text) ?? 0n);
  switch (trade.rejectCode) {
    case RejectCode.REJECT_CODE_INSUFFICIENT_FUNDS:
      return `Not enough cash: this buy needed ${money(needed)}, and you had ${money(available)} to spend.`;
    case RejectCode.REJECT_CODE_INSUFFICIENT_SHARES:
      return `Not enough shares: this sell needed ${count(BigInt(needed))} ${stockTicker}, and you had ${count(BigInt(available))} to sell.`;
    case RejectCode.REJECT_CODE_UNKNOWN_TICKER:
      return `The exchange does not list ${stockTicker}.`;
    case RejectCode.REJECT_CODE_NO_QUOTE:
      return `The exchange gave no fresh price for ${stockTicker}, so the order was not sent.`;
    case RejectCode.REJECT_CODE_MARKET_CLOSED:
      return `${reason === '' ? 'The market is closed' : reason}. An order can be queued for the open.`;
    case RejectCode.REJECT_CODE_HALTED:
      return `Trading in ${stockTicker} is halted.`;
    case RejectCode.REJECT_CODE_EXCHANGE_UNAVAILABLE:
      return 'The exchange could not be reached. The order was not sent.';
    case RejectCode.REJECT_CODE_WAITED_TOO_LONG:
      return 'We did not get to the order in time, so it was not sent: its price would have been another one. You can place it again.';
    case RejectCode.REJECT_CODE_ACCOUNT_BLOCKED:
      return BLOCKED_WORDS;
    case RejectCode.REJECT_CODE_CANCELED:
      return 'You canceled it before it was sent.';
    case RejectCode.REJECT_CODE_EXCHANGE_REJECTED:
      return `The exchange rejected the order${reason === '' ? '' : `: ${reason.replace(/^The exchange rejected the order: /, '')}`}.`.replace(
        /\.\.$/,
        '.',
      );
    default:
      return reason === '' ? 'The order was rejected.' : reason;
  }
}

export const BLOCKED_WORDS = 'Buys are blocked on this account until we have looked at an earlier trade. Selling still works.';

/** One sentence for the news of a trade, as read aloud. */
export function newsWords(trade: Trade): string {
  const status = statusOf(trade);
  const order = orderWords(trade);
  if (status === 'filled') return `${order}: filled at ${dollars(usdOf(trade.price) ?? 0n)} a share.`;
  if (isWaiting(trade)) return `${order}: placed, and waiting for the open.`;
  if (isCanceled(trade)) return `${order}: canceled.`;
  if (status === 'rejected') return `${order}: rejected. ${rejectionWords(trade)}`;
  return status === 'executed' ? `${order}: sent to the exchange.` : `${order}: placed.`;
}

/** Why a call failed, for a customer. */
export function errorWords(error: unknown): string {
  if (!(error instanceof BrokerError)) return 'Something unexpected went wrong on this page.';
  if (error.reason === 'NOT_STORED') return 'This browser does not let the page store the order, so it was not sent.';
  if (error.code === 'INVALID_ARGUMENT' && error.violations.length > 0)
    return `The broker did not take the order: ${error.violations.map(({ field, description }) => `${field.replaceAll('_', ' ')} ${description}`).join('; ')}.`;
  if (error.code === 'RESOURCE_EXHAUSTED') return 'Too many requests at the moment. Nothing was placed; try again shortly.';
  if (error.code === 'UNAUTHENTICATED') return 'Your session has ended. Sign in again.';
  if (error.reason === 'NO_ACCOUNT') return 'There is no account for this customer.';
  if (error.reason === 'ACCOUNT_BUSY') return 'Another operation is being done on your account. Try again shortly.';
  if (error.reason === 'TOO_MANY_OPEN_TRADES') return tooManyWords(error);
  if (error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED') return 'The broker does not answer at the moment.';
  return `The broker answered: ${error.message}.`;
}

function tooManyWords({ figures: { open = '', limit = '' } }: BrokerError): string {
  return `You have ${open} open orders, and ${limit} are allowed. Nothing was placed: wait until some have ended, or cancel some.`;
}

/** Why an order could not be canceled. */
export function cancelErrorWords(error: unknown): string {
  const reason = error instanceof BrokerError ? error.reason : undefined;
  if (reason === 'ALREADY_EXECUTED') return 'Too late to cancel: it has been sent to the exchange.';
  if (reason === 'ALREADY_ENDED') return 'Too late to cancel: it has ended.';
  const isSilent = error instanceof BrokerError && (error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED');
  if (isSilent) return 'The broker does not answer at the moment. Whether it is canceled is not known; try again.';
  return `It is not known to be canceled. ${errorWords(error)}`;
}

const TIME = new Intl.DateTimeFormat('en-US', { hour: 'numeric', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-US', { month: 'short', day: 'numeric' });

/** "Nov 23, 9:41:07 AM"; of today only the time. */
export function timeWords(at: Date | undefined, now: Date): string {
  if (at === undefined) return '';
  const isToday = at.toDateString() === now.toDateString();
  return isToday ? TIME.format(at) : `${DAY.format(at)}, ${TIME.format(at)}`;
}
