import {
  type Order,
  type OrderReport as OrderReportMessage,
  OrderState,
  type Quote as QuoteMessage,
  RejectReason,
  Side,
} from '@stockbroker/rpc/exchange';
import {
  formatUsd,
  type OrderReport,
  type Quote,
  type Refusal,
  readPrice,
  readReport,
  type Trade,
  type TradeType,
  type UsdE4,
  uuidOf,
  type WordedReport,
} from '@stockbroker/trading';

/** A report that breaks the exchange's own contract; the message says how. */
export class MalformedReportError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedReportError';
  }
}

export function toOrder(trade: Trade, callbackUrl: string): Order {
  if (trade.limitPrice === null) throw new TypeError(`trade ${trade.id} has no limit price: it was not marked executed`);
  return {
    clientOrderId: trade.id,
    ticker: trade.stockTicker,
    side: trade.type === 'buy' ? Side.SIDE_BUY : Side.SIDE_SELL,
    quantity: trade.quantity,
    limitPrice: formatUsd(trade.limitPrice),
    callbackUrl,
    attempt: trade.attempt,
  };
}

/** A side that is empty has no price; what else the message says stands. Null when one is no price: then neither is to be trusted. */
export function fromQuote({ ticker, bid, ask, halted }: QuoteMessage): Quote | null {
  const sides = { bid: bid === '' ? null : readPrice(bid), ask: ask === '' ? null : readPrice(ask) };
  if ((sides.bid === null && bid !== '') || (sides.ask === null && ask !== '')) return null;
  return { stockTicker: ticker, ...sides, halted };
}

/** The id by which an answer names an order: ours, whatever letters it is written in. */
export function orderIdOf(text: string): string {
  return uuidOf(text) ?? text;
}

/** The limit that the exchange has of an order; null when it does not say. */
export function limitOf({ limitPrice }: OrderReportMessage): UsdE4 | null {
  return readPrice(limitPrice);
}

const TYPES: Partial<Record<Side, TradeType>> = { [Side.SIDE_BUY]: 'buy', [Side.SIDE_SELL]: 'sell' };
const STATES: Partial<Record<OrderState, WordedReport['state']>> = {
  [OrderState.ORDER_STATE_OPEN]: 'open',
  [OrderState.ORDER_STATE_FILLED]: 'filled',
  [OrderState.ORDER_STATE_REJECTED]: 'rejected',
};

/** What the exchange says of an order. A malformed report is the trouble of its own order, not of the others in the answer. */
export function fromOrderReport(message: OrderReportMessage): OrderReport | 'open' | MalformedReportError {
  const { clientOrderId, ticker, side, quantity, attempt, state, price, executionId, executedAt } = message;
  const report = readReport({
    orderId: orderIdOf(clientOrderId),
    stockTicker: ticker,
    type: TYPES[side],
    quantity,
    attempt,
    state: STATES[state],
    price,
    executionId,
    executedAt,
    refusal: refusalOf(message),
  });
  return typeof report !== 'string' && 'rule' in report ? new MalformedReportError(report.why) : report;
}

/** What a callback says, which is never of an open order. @throws MalformedReportError */
export function fromCallback(message: OrderReportMessage): OrderReport {
  const report = fromOrderReport(message);
  if (report === 'open') throw new MalformedReportError('the order is reported as open');
  if (report instanceof MalformedReportError) throw report;
  return report;
}

const MAX_MESSAGE = 200;
/** Control characters, among them the zero byte, which the database cannot store: that must not keep a trade open. */
const UNPRINTABLE = /\p{Cc}+/gu;

/** Undefined when it gives no reason. */
function refusalOf({ rejectReason, rejectMessage, ticker }: OrderReportMessage): Refusal | undefined {
  if (rejectReason === RejectReason.REJECT_REASON_UNSPECIFIED && rejectMessage === '') return undefined;
  switch (rejectReason) {
    case RejectReason.REJECT_REASON_UNKNOWN_TICKER:
      return { code: 'UNKNOWN_TICKER', stockTicker: ticker };
    case RejectReason.REJECT_REASON_HALTED:
      return { code: 'HALTED', stockTicker: ticker };
    case RejectReason.REJECT_REASON_MARKET_CLOSED:
      return { code: 'MARKET_CLOSED' };
    default:
      return { code: 'EXCHANGE_REJECTED', message: printable(rejectMessage) || 'no reason given' };
  }
}

/** The exchange's words as the database takes them and gives them back: the outcome must compare equal when it is reported again. */
export function printable(text: string): string {
  return text.slice(0, MAX_MESSAGE).toWellFormed().replace(UNPRINTABLE, ' ').trim();
}
