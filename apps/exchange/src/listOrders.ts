import type { ExchangeServiceListOrdersRequest, OrderReport } from '@stockbroker/rpc/exchange';
import type { Journal } from './journal.ts';
import { toReport } from './order.ts';

const PAGE = 500;
/** Sorts after every id: ids are lower-case hexadecimal. */
const AFTER_ALL = 'g';

/** Pages of a member's orders by id: one page is in memory at a time. */
export function* listOrders(journal: Journal, request: ExchangeServiceListOrdersRequest): Generator<OrderReport[]> {
  const before = request.beforeClientOrderId.toLowerCase() || AFTER_ALL;
  for (let from = request.fromClientOrderId.toLowerCase(); ; ) {
    const page = journal.pageById(from, before, PAGE);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page.map(toReport);
    if (page.length < PAGE) return;
    from = `${last.clientOrderId} `; // Ids have one length, so that this sorts just behind it.
  }
}
