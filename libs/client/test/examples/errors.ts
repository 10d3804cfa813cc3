import { type BrokerClient, BrokerError, type Order } from '@stockbroker/client';

export async function placeOrSay(broker: BrokerClient, order: Order) {
  try {
    return (await broker.placeTrade(order)).orderId;
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    if (error.reason === 'CLIENT_ORDER_ID_USED') return `that id is trade ${error.figures.order_id}`;
    if (error.code === 'INVALID_ARGUMENT')
      return error.violations.map(({ field, description }) => `${field} ${description}`).join();
    if (error.code === 'UNAUTHENTICATED') return 'sign in again';
    return `not known yet: ${error.message}`; // The order stays pending: resolvePendingOrders() finds its outcome.
  }
}
