import { setTimeout as delay } from 'node:timers/promises';
import { RpcError, Status } from '@stockbroker/rpc';
import { type PlaceTradeRequest, type Trade, TradeStatus } from '@stockbroker/rpc/stockbroker';
import { UserError } from './cli.ts';
import { plain, type RetryOptions, retrying } from './retry.ts';
import type { TradingClient } from './tradeClient.ts';

const FIRST_POLL_MS = 10;
const MAX_POLL_MS = 250;

export interface FollowOptions extends RetryOptions {
  /** Told of the trade when it is placed and whenever its status has changed. */
  onChange: (trade: Trade) => void;
}

/**
 * Places a trade and follows it until it is filled or rejected. Every repetition carries the same client order id: however many
 * answers are lost, there is one trade.
 *
 * @throws UserError when the time is up; it says how to go on
 */
export async function placeAndFollow(
  client: TradingClient,
  request: Omit<PlaceTradeRequest, 'customerId'>,
  options: FollowOptions,
): Promise<Trade> {
  const placed = await retrying(() => client.placeTrade(request), options).catch((error: unknown) => {
    throw error instanceof RpcError ? notPlaced(error, request.clientOrderId) : error;
  });
  options.onChange(placed);
  let trade = placed;
  for (let pollMs = FIRST_POLL_MS; !isFinal(trade); pollMs = Math.min(MAX_POLL_MS, pollMs * 1.3)) {
    if (performance.now() > options.giveUpAt) {
      throw new UserError(
        `The trade is still ${statusName(trade.status)}, and nothing is lost. See what becomes of it with:\n  npm run trade -- show ${trade.orderId}`,
      );
    }
    await delay(pollMs);
    const now = await retrying(() => client.getTrade({ orderId: placed.orderId }), options);
    if (now.status !== trade.status) options.onChange(now);
    trade = now;
  }
  return trade;
}

/** "placed", "executed", "filled" or "rejected". */
export function statusName(status: TradeStatus): string {
  const name = Object.entries(TradeStatus).find(([, value]) => value === status)?.[0] ?? 'TRADE_STATUS_UNKNOWN';
  return name.replace('TRADE_STATUS_', '').toLowerCase();
}

function isFinal({ status }: Trade): boolean {
  return status === TradeStatus.TRADE_STATUS_FILLED || status === TradeStatus.TRADE_STATUS_REJECTED;
}

function notPlaced(error: RpcError, clientOrderId: string): unknown {
  const inDoubt = error.code === Status.UNAVAILABLE || error.code === Status.DEADLINE_EXCEEDED;
  if (!inDoubt) return error;
  return new UserError(
    `The gateway does not answer (${plain(error)}). It is not known whether the trade is placed: repeat the command with\n` +
      `  --client-order-id ${clientOrderId}\nand it is placed once, whatever happened before.`,
    { cause: error },
  );
}
