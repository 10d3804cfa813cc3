import type { TickerQuote } from '@stockbroker/exchange-client';
import {
  Account as AccountMessage,
  Quote,
  RejectCode,
  SessionPolicy,
  Trade as TradeMessage,
  TradeStatus,
  TradeType,
  type WatchTradesResponse,
} from '@stockbroker/rpc/stockbroker';
import type { WatchEvent } from '@stockbroker/trade-flow';
import {
  type Account,
  formatUsd,
  type RejectCode as RejectCodeName,
  type TradeStatus as Status,
  type Trade,
  type UsdE4,
} from '@stockbroker/trading';

const TYPES = { buy: TradeType.TRADE_TYPE_BUY, sell: TradeType.TRADE_TYPE_SELL } as const;

const STATUSES = {
  placed: TradeStatus.TRADE_STATUS_PLACED,
  executed: TradeStatus.TRADE_STATUS_EXECUTED,
  filled: TradeStatus.TRADE_STATUS_FILLED,
  rejected: TradeStatus.TRADE_STATUS_REJECTED,
} as const;

const REASONS: Record<Exclude<Status, 'rejected'>, string> = {
  placed: 'Trade Placed',
  executed: 'Sent To The Exchange',
  filled: 'Trade Completed',
};

export function toTradeMessage(trade: Trade): TradeMessage {
  return TradeMessage.create({
    orderId: trade.id,
    customerId: trade.customerId,
    clientOrderId: trade.clientOrderId,
    stockTicker: trade.stockTicker,
    type: TYPES[trade.type],
    quantity: trade.quantity,
    status: STATUSES[trade.status],
    reason: trade.reason ?? (trade.status === 'rejected' ? '' : REASONS[trade.status]),
    rejectCode: trade.rejectCode === null ? RejectCode.REJECT_CODE_UNSPECIFIED : RejectCode[`REJECT_CODE_${trade.rejectCode}`],
    ...figuresOf(trade),
    // What was sent back keeps those of the last attempt, but neither binds any more.
    limitPrice: usdOrEmpty(trade.status === 'placed' ? null : trade.limitPrice),
    hold: usdOrEmpty(trade.status === 'placed' ? null : trade.hold),
    price: usdOrEmpty(trade.price),
    executionId: trade.executionId ?? '',
    createdAt: trade.createdAt,
    submittedAt: trade.submittedAt ?? undefined,
    executedAt: trade.executedAt ?? undefined,
    sessionPolicy: trade.queueForOpen
      ? SessionPolicy.SESSION_POLICY_QUEUE_FOR_OPEN
      : SessionPolicy.SESSION_POLICY_REJECT_WHEN_CLOSED,
  });
}

export function toAccountMessage(account: Account): AccountMessage {
  return AccountMessage.create({
    customerId: account.customerId,
    cash: formatUsd(account.amount),
    held: formatUsd(account.held),
    spendable: formatUsd(account.amount - account.held),
    positions: account.positions,
    buysBlocked: account.buysBlocked,
    lastModified: account.lastModified,
  });
}

/** A side without a price is empty. */
export function toQuoteMessage({ stockTicker, latest }: TickerQuote): Quote {
  if (latest === null) return Quote.create({ stockTicker });
  const { bid, ask, halted } = latest.quote;
  return Quote.create({ stockTicker, bid: usdOrEmpty(bid), ask: usdOrEmpty(ask), halted, quotedAt: latest.quotedAt });
}

export function toWatchTradesResponse(event: WatchEvent): WatchTradesResponse {
  const revision = BigInt(event.revision);
  switch (event.kind) {
    case 'snapshot': {
      const value = { revision, account: toAccountMessage(event.account), trades: event.trades.map(toTradeMessage) };
      return { event: { $case: 'snapshot', value } };
    }
    case 'change': {
      const account = event.account === null ? undefined : toAccountMessage(event.account);
      const value = { firstRevision: BigInt(event.first), revision, trades: event.trades.map(toTradeMessage), account };
      return { event: { $case: 'change', value } };
    }
    case 'heartbeat':
      return { event: { $case: 'heartbeat', value: { revision } } };
  }
}

/** Undefined for the unspecified value. */
export function fromTradeType(type: TradeType): Trade['type'] | undefined {
  return type === TradeType.TRADE_TYPE_BUY ? 'buy' : type === TradeType.TRADE_TYPE_SELL ? 'sell' : undefined;
}

/** Undefined for the unspecified value and for values of a newer client. */
export function fromTradeStatus(status: TradeStatus): Status | undefined {
  return (Object.keys(STATUSES) as Status[]).find((name) => STATUSES[name] === status);
}

function usdOrEmpty(amount: UsdE4 | null): string {
  return amount === null ? '' : formatUsd(amount);
}

/** Codes whose figures are money; the others' are shares. */
const MONEY_CODES: readonly (RejectCodeName | null)[] = ['INSUFFICIENT_FUNDS'];

function figuresOf({ rejectCode, rejectNeeded, rejectAvailable }: Trade): Partial<TradeMessage> {
  if (rejectNeeded === null || rejectAvailable === null) return {};
  const format = MONEY_CODES.includes(rejectCode) ? formatUsd : String;
  return { rejectFigures: { needed: format(rejectNeeded), available: format(rejectAvailable) } };
}
