import { RpcError, Status } from '@stockbroker/rpc';
import { type Account, type Trade, TradeType } from '@stockbroker/rpc/stockbroker';
import type { ClientAnswer, ClientCall, SeenAccount, SeenTrade } from '@stockbroker/testkit';
import { parseUsd, TRADE_STATUSES, type UsdE4 } from '@stockbroker/trading';
import { rejectCodeOf } from '../printTrades.ts';

/** The server has said that it did nothing and never will. Everything else is in doubt. */
const DEFINITE: readonly Status[] = [
  Status.INVALID_ARGUMENT,
  Status.NOT_FOUND,
  Status.ALREADY_EXISTS,
  Status.FAILED_PRECONDITION,
  Status.PERMISSION_DENIED,
  Status.UNAUTHENTICATED,
];

/** Everything that the clients of a run saw, call by call. */
export class ClientLog {
  readonly calls: ClientCall[] = [];
  /** Calls that were sent again. */
  repeated = 0;
  /** Failed calls by code. */
  readonly errors: Record<string, number> = {};

  /** Makes a call and notes what came of it. @returns the answer; an error is an answer too */
  async note<T>(
    about: Pick<ClientCall, 'customerId' | 'method' | 'gateway' | 'request' | 'orderId'>,
    call: () => Promise<T>,
    toAnswer: (response: T) => ClientAnswer,
  ): Promise<ClientAnswer> {
    const startedMs = performance.now();
    const answer = await call().then(toAnswer, toError);
    this.calls.push({ ...about, startedMs, endedMs: performance.now(), answer });
    if (answer.kind === 'error') this.errors[answer.code] = (this.errors[answer.code] ?? 0) + 1;
    return answer;
  }
}

function toError(error: unknown): ClientAnswer {
  if (!(error instanceof RpcError)) throw error;
  const { code, codeName, details, message } = error;
  return { kind: 'error', code: codeName, reason: details.info?.reason ?? '', message, isDefinite: DEFINITE.includes(code) };
}

export function seenTrade(trade: Trade): SeenTrade {
  const status = TRADE_STATUSES[trade.status - 1];
  if (status === undefined) throw new Error(`trade ${trade.orderId} was shown without a status`);
  return {
    orderId: trade.orderId,
    customerId: trade.customerId,
    clientOrderId: trade.clientOrderId,
    stockTicker: trade.stockTicker,
    type: trade.type === TradeType.TRADE_TYPE_BUY ? 'buy' : 'sell',
    quantity: trade.quantity,
    status,
    rejectCode: (rejectCodeOf(trade) || null) as SeenTrade['rejectCode'],
    limitPrice: amount(trade.limitPrice),
    hold: amount(trade.hold),
    price: amount(trade.price),
    executionId: trade.executionId || null,
    submittedAtMs: trade.submittedAt?.getTime() ?? null,
    executedAtMs: trade.executedAt?.getTime() ?? null,
  };
}

export function seenAccount({ cash, held, buysBlocked, positions }: Account): SeenAccount {
  return { cash: parseUsd(cash), held: parseUsd(held), buysBlocked, positions };
}

function amount(text: string): UsdE4 | null {
  return text === '' ? null : parseUsd(text);
}
