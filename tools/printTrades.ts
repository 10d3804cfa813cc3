import { type Account, type Quote, RejectCode, type Trade, TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
import { formatUsd, parseUsd } from '@stockbroker/trading';
import { dollars, grouped, table } from './cli.ts';
import { statusName } from './placeAndFollow.ts';

/** What to print when a trade has reached its status from `before`; one that went by unseen in between is told as well. */
export function changeLines(trade: Trade, before: TradeStatus): string[] {
  const { TRADE_STATUS_PLACED, TRADE_STATUS_EXECUTED } = TradeStatus;
  const lines: string[] = [];
  const add = (status: TradeStatus, text: string) => lines.push(`${statusName(status).padEnd(8)}  ${text}`);
  if (before < TRADE_STATUS_PLACED) add(TRADE_STATUS_PLACED, `${orderOf(trade)}  ${trade.orderId}`);
  if (before < TRADE_STATUS_EXECUTED && trade.submittedAt !== undefined) add(TRADE_STATUS_EXECUTED, sentWith(trade));
  if (trade.status > TRADE_STATUS_EXECUTED) add(trade.status, endOf(trade));
  return lines;
}

/** What a fill cost or brought, as an exact decimal; undefined when there is none. */
export function tradeValue({ price, quantity }: Trade): string | undefined {
  return price === '' ? undefined : formatUsd(parseUsd(price) * BigInt(quantity));
}

export function isBuy({ type }: Trade): boolean {
  return type === TradeType.TRADE_TYPE_BUY;
}

/** Cash and shares, of one stock or of all. */
export function accountTable(account: Account, only?: string): string {
  const isHeld = account.held !== '0.0000';
  const rows = account.positions
    .filter(({ stockTicker }) => only === undefined || stockTicker === only)
    .map(({ stockTicker, quantity, held }) => [stockTicker, grouped(quantity), held === 0n ? '' : `${grouped(held)} held`]);
  const cash = [
    'cash',
    dollars(account.cash),
    isHeld ? `${dollars(account.held)} held, ${dollars(account.spendable)} spendable` : '',
  ];
  return table([cash, ...rows], [1]) + (account.buysBlocked ? '\nBuys are blocked on this account.' : '');
}

export function tradeTable(trades: readonly Trade[]): string {
  const rows = trades.map((trade) => [
    localTime(trade.createdAt),
    trade.orderId,
    statusName(trade.status),
    orderOf(trade),
    trade.price === '' ? '' : dollars(trade.price),
    shownValue(trade),
    rejectCodeOf(trade),
  ]);
  return table([['placed', 'order id', 'status', 'order', 'price', 'value', ''], ...rows], [4, 5]);
}

/** Everything about one trade. */
export function tradeDetails(trade: Trade): string {
  const facts: [string, string][] = [
    ['order id', trade.orderId],
    ['client order id', trade.clientOrderId],
    ['customer', trade.customerId],
    ['order', orderOf(trade)],
    ['status', statusName(trade.status)],
    ['reason', trade.reason],
    ['reject code', rejectCodeOf(trade)],
    ['limit price', trade.limitPrice === '' ? '' : dollars(trade.limitPrice)],
    ['cash held', trade.hold === '' ? '' : dollars(trade.hold)],
    ['price', trade.price === '' ? '' : dollars(trade.price)],
    [isBuy(trade) ? 'cost' : 'proceeds', shownValue(trade)],
    ['execution id', trade.executionId],
    ['placed', localTime(trade.createdAt)],
    ['sent', localTime(trade.submittedAt)],
    ['completed', localTime(trade.executedAt)],
  ];
  return table(facts.filter(([, value]) => value !== ''));
}

export function quoteTable({ stockTicker, bid, ask, halted, quotedAt }: Quote): string {
  const head = ['stock', 'bid', 'ask', 'quoted', ''];
  return table([head, [stockTicker, dollars(bid), dollars(ask), localTime(quotedAt), halted ? 'trading is halted' : '']], [1, 2]);
}

function orderOf(trade: Trade): string {
  return `${isBuy(trade) ? 'buy' : 'sell'} ${grouped(trade.quantity)} ${trade.stockTicker}`;
}

function sentWith(trade: Trade): string {
  const limit = `${isBuy(trade) ? 'at most' : 'at least'} ${dollars(trade.limitPrice)} a share`;
  return `${limit}, ${isBuy(trade) ? dollars(trade.hold) : grouped(trade.quantity)} held`;
}

function endOf(trade: Trade): string {
  if (trade.status === TradeStatus.TRADE_STATUS_REJECTED) return `${trade.reason} (${rejectCodeOf(trade)})`;
  return `${dollars(trade.price)} a share, ${isBuy(trade) ? 'cost' : 'proceeds'} ${shownValue(trade)}`;
}

function shownValue(trade: Trade): string {
  const value = tradeValue(trade);
  return value === undefined ? '' : dollars(value);
}

export function rejectCodeOf({ rejectCode }: Trade): string {
  if (rejectCode === RejectCode.REJECT_CODE_UNSPECIFIED) return '';
  const name = Object.entries(RejectCode).find(([, value]) => value === rejectCode)?.[0] ?? String(rejectCode);
  return name.replace('REJECT_CODE_', '');
}

/** "2026-05-04 14:03:59.123" in this machine's time zone. */
function localTime(date: Date | undefined): string {
  if (date === undefined) return '';
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 23).replace('T', ' ');
}
