import { type Evidence, groupBy, type Violation } from './evidence.ts';

const CHECK = 'one trade per request';

/** However often a request was repeated, through whichever gateways: one client order id of a customer is one trade. */
export function checkOneTradePerRequest({ clientLog, tables }: Evidence): Violation[] {
  const answered = clientLog.flatMap(({ customerId, request, answer }) =>
    request !== undefined && answer.kind === 'trade'
      ? [{ customerId, clientOrderId: request.clientOrderId, tradeId: answer.trade.orderId }]
      : [],
  );
  const stored = tables.trades.map(({ id, customerId, clientOrderId }) => ({ customerId, clientOrderId, tradeId: id }));
  const requests = groupBy([...answered, ...stored], ({ customerId, clientOrderId }) => `${customerId} ${clientOrderId}`);
  return [...requests.values()].flatMap((sightings) => {
    const ids = [...new Set(sightings.map(({ tradeId }) => tradeId))];
    const [first] = sightings;
    if (ids.length === 1 || first === undefined) return [];
    const { customerId, clientOrderId, tradeId } = first;
    return [{ check: CHECK, message: `request ${clientOrderId} is several trades: ${ids.join(', ')}`, customerId, tradeId }];
  });
}
