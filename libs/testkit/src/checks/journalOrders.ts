import { formatUsd, type Trade } from '@stockbroker/trading';
import { type Evidence, groupBy, type JournalOrder, type Violation } from './evidence.ts';

const CHECK = 'fills';

/** Trades and the exchange's orders are the same ones: what was sent is there, what was not sent is not, and nothing else is. */
export function checkOrders({ tables, journal }: Evidence): Violation[] {
  const orders = new Map(journal.map((order) => [order.orderId, order]));
  const trades = new Map(tables.trades.map((trade) => [trade.id, trade]));
  return [
    ...repeated(journal, 'orderId', 'order'),
    ...repeated(journal, 'executionId', 'execution'),
    ...tables.trades.flatMap((trade) => violation(trade, compareOrder(trade, orders.get(trade.id)))),
    ...journal
      .filter(({ orderId }) => !trades.has(orderId))
      .map(({ orderId }) => ({
        check: CHECK,
        message: `the exchange has an order ${orderId} that is no trade`,
        tradeId: orderId,
      })),
  ];
}

/** What the exchange did is what was booked: each fill in its journal once, at its price, and no other. */
export function checkOutcomes({ tables, journal }: Evidence): Violation[] {
  const orders = new Map(journal.map((order) => [order.orderId, order]));
  return tables.trades.flatMap((trade) => {
    const order = orders.get(trade.id);
    return order === undefined ? [] : violation(trade, compareOutcome(trade, order));
  });
}

function compareOrder(trade: Trade, order: JournalOrder | undefined): string | null {
  if (order === undefined) {
    if (trade.status === 'filled') return 'filled, but the exchange never had the order';
    // Marked in the last moment of a session, or sent back and not sent again: nothing has left.
    const isUnsent = trade.submittedAt === null || trade.attempt > 0 || trade.rejectCode === 'MARKET_CLOSED';
    return trade.status === 'rejected' && !isUnsent ? 'sent, but the exchange never had the order' : null;
  }
  if (trade.submittedAt === null) return 'never marked executed, but the exchange has the order';
  if (order.attempt < trade.attempt) return null; // It was sent back, and not sent again.
  const isSame =
    order.stockTicker === trade.stockTicker &&
    order.type === trade.type &&
    order.quantity === trade.quantity &&
    order.limitPrice === trade.limitPrice;
  return isSame ? null : 'the order at the exchange is another one';
}

function compareOutcome(trade: Trade, order: JournalOrder): string | null {
  if (trade.status === 'filled') {
    if (order.state !== 'filled') return `booked as filled, but ${order.state} at the exchange`;
    const isSame =
      order.price === trade.price &&
      order.executionId === trade.executionId &&
      order.executedAtMs === trade.executedAt?.getTime();
    return isSame ? null : `booked otherwise than filled at ${formatUsd(order.price ?? 0n)} as ${order.executionId}`;
  }
  if (order.attempt < trade.attempt) return order.state === 'rejected' ? null : `sent back, but ${order.state} at the exchange`;
  return trade.status === 'rejected' && order.state !== 'rejected' ? `rejected, but ${order.state} at the exchange` : null;
}

function violation(trade: Trade, problem: string | null): Violation[] {
  if (problem === null) return [];
  const { id, customerId, status } = trade;
  return [{ check: CHECK, message: `trade ${id} (${status}): ${problem}`, customerId, tradeId: id }];
}

function repeated(journal: JournalOrder[], key: 'orderId' | 'executionId', what: string): Violation[] {
  const groups = groupBy(journal, (order) => order[key] ?? '');
  return [...groups].flatMap(([id, orders]) =>
    id === '' || orders.length === 1
      ? []
      : [
          {
            check: CHECK,
            message: `${what} ${id} stands ${orders.length} times in the journal`,
            tradeId: orders[0]?.orderId ?? '',
          },
        ],
  );
}
