import { type BrokerClient, BrokerError, TradeType } from '@stockbroker/client';

/** Places an order for the next session, then cancels it. */
export async function queueAndCancel(broker: BrokerClient) {
  const order = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 10, queueForOpen: true };
  const { orderId } = await broker.placeTrade(order);
  try {
    return (await broker.cancelTrade(orderId)).reason;
  } catch (error) {
    if (error instanceof BrokerError && error.reason === 'ALREADY_EXECUTED')
      return 'too late: the market is open, and it was sent';
    throw error;
  }
}
