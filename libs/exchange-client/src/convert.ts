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
  parseUsd,
  type Quote,
  type Refusal,
  type Trade,
  type UsdE4,
  uuidOf,
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
  };
}

/** Null while the exchange gives no prices for the ticker, and for prices that are none: those must not cost the other tickers' quotes. */
export function fromQuote(quote: QuoteMessage): Quote | null {
  const [bid, ask] = [positive(quote.bid), positive(quote.ask)];
  return bid === null || ask === null ? null : { stockTicker: quote.ticker, bid, ask, halted: quote.halted };
}

/** The id by which an answer names an order: ours, whatever letters it is written in. */
export function orderIdOf(text: string): string {
  return uuidOf(text) ?? text;
}

/** What the exchange says of an order. @throws MalformedReportError */
export function fromOrderReport(message: OrderReportMessage): OrderReport | 'open' {
  const tradeId = uuidOf(message.clientOrderId);
  if (tradeId === undefined) throw new MalformedReportError('client_order_id is not a UUID');
  if (message.side !== Side.SIDE_BUY && message.side !== Side.SIDE_SELL) throw new MalformedReportError('side is not set');
  if (message.state === OrderState.ORDER_STATE_OPEN) return 'open';
  return {
    tradeId,
    stockTicker: message.ticker,
    type: message.side === Side.SIDE_BUY ? 'buy' : 'sell',
    quantity: message.quantity,
    outcome: outcomeOf(message),
  };
}

/** A malformed report is the trouble of its own order, not of the others in the answer. */
export function readReport(message: OrderReportMessage): OrderReport | 'open' | MalformedReportError {
  try {
    return fromOrderReport(message);
  } catch (error) {
    if (error instanceof MalformedReportError) return error;
    throw error;
  }
}

/** What a protobuf Timestamp may say: JavaScript and PostgreSQL take more, which no client could be told. */
const EARLIEST = new Date('0001-01-01T00:00:00Z');
const LATEST = new Date('9999-12-31T23:59:59.999Z');

function outcomeOf(message: OrderReportMessage): OrderReport['outcome'] {
  const { executedAt, executionId } = message;
  if (executedAt === undefined || Number.isNaN(executedAt.getTime())) throw new MalformedReportError('executed_at is not set');
  if (executedAt < EARLIEST || executedAt > LATEST) throw new MalformedReportError('executed_at is not in the years 1 to 9999');
  switch (message.state) {
    case OrderState.ORDER_STATE_FILLED:
      if (executionId === '' || executionId.length > 64)
        throw new MalformedReportError('execution_id must have 1 to 64 characters');
      return { kind: 'filled', price: positivePrice(message.price), executionId, executedAt };
    case OrderState.ORDER_STATE_REJECTED:
      return { kind: 'rejected', refusal: refusalOf(message), executedAt };
    default:
      throw new MalformedReportError('state is not set');
  }
}

function positivePrice(text: string): UsdE4 {
  const price = positive(text);
  if (price === null) throw new MalformedReportError('price must be a positive decimal with at most four places');
  return price;
}

/** Null for anything but a decimal above zero with at most four places. */
function positive(text: string): UsdE4 | null {
  try {
    const price = parseUsd(text);
    return price > 0n ? price : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const MAX_MESSAGE = 200;
/** Control characters, among them the zero byte, which the database cannot store: that must not keep a trade open. */
const UNPRINTABLE = /\p{Cc}+/gu;

function refusalOf({ rejectReason, rejectMessage, ticker }: OrderReportMessage): Refusal {
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
