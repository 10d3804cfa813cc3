import { type BrokerClient, BrokerError, type Order } from '@stockbroker/client';
import { type Trade, TradeStatus } from '@stockbroker/rpc/stockbroker';
import { UserError } from './cli.ts';
import { plain } from './tradeClient.ts';

export interface FollowOptions {
  /** How long to wait for the end of the trade, once it is placed. */
  timeoutMs: number;
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
  broker: BrokerClient,
  order: Order & { clientOrderId: string },
  { timeoutMs, onChange }: FollowOptions,
): Promise<Trade> {
  let trade = await broker.placeTrade(order).catch(async (error: unknown) => {
    throw error instanceof BrokerError ? await notPlaced(broker, error, order.clientOrderId) : error;
  });
  onChange(trade);
  if (isFinal(trade)) return trade; // Of an id that was placed before.
  const { orderId } = trade;
  const watch = broker.watchTrades();
  const timer = setTimeout(() => watch.close(), timeoutMs);
  try {
    for await (const { trades } of watch) {
      const now = trades.get(orderId);
      if (now === undefined || now.status === trade.status) continue;
      trade = now;
      onChange(trade);
      if (isFinal(trade)) break;
    }
  } finally {
    clearTimeout(timer);
    watch.close();
  }
  if (isFinal(trade)) return trade;
  const mayWait = trade.status === TradeStatus.TRADE_STATUS_PLACED && order.queueForOpen === true;
  const state = mayWait ? 'placed, and waits for the open if the market is closed' : statusName(trade.status);
  const cancel = mayWait ? `\nand cancel it until it is sent with:\n  npm run trade -- cancel ${orderId}` : '';
  throw new UserError(
    `The trade is still ${state}; nothing is lost. See what becomes of it with:\n  npm run trade -- show ${orderId}${cancel}`,
  );
}

/** "placed", "executed", "filled" or "rejected". */
export function statusName(status: TradeStatus): string {
  const name = Object.entries(TradeStatus).find(([, value]) => value === status)?.[0] ?? 'TRADE_STATUS_UNKNOWN';
  return name.replace('TRADE_STATUS_', '').toLowerCase();
}

function isFinal({ status }: Trade): boolean {
  return status === TradeStatus.TRADE_STATUS_FILLED || status === TradeStatus.TRADE_STATUS_REJECTED;
}

async function notPlaced(broker: BrokerClient, error: BrokerError, clientOrderId: string): Promise<unknown> {
  const isInDoubt = (await broker.pendingOrders()).some((order) => order.clientOrderId === clientOrderId);
  if (!isInDoubt) return error;
  return new UserError(
    `The gateway does not answer (${plain(error)}). It is not known whether the trade is placed: repeat the command with\n` +
      `  --client-order-id ${clientOrderId}\nand it is placed once, whatever happened before.`,
    { cause: error },
  );
}
