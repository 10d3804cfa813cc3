import type { RpcClient } from '@stockbroker/rpc';
import type { ExchangeServiceDefinition } from '@stockbroker/rpc/exchange';
import { ExchangeInDoubtError } from '@stockbroker/trade-flow';
import type { OrderReport } from '@stockbroker/trading';
import { fromOrderReport, MalformedReportError, orderIdOf } from './convert.ts';

/** Ids from `from` to before `before`; null: to the end. */
export interface OrderRange {
  from: string;
  before: string | null;
}

export interface ListedOrder {
  tradeId: string;
  found: OrderReport | 'open' | MalformedReportError;
}

/**
 * The orders that the exchange has in a range of ids, in order of id, a page in memory at a time. The reader may take its time; the
 * exchange may not: a page that does not come within `timeoutMs` ends it.
 *
 * @throws ExchangeInDoubtError when it ends before its end, or is out of order
 */
export async function* listOrders(
  client: RpcClient<typeof ExchangeServiceDefinition>,
  range: OrderRange,
  timeoutMs: number,
): AsyncGenerator<ListedOrder> {
  const silent = new AbortController();
  const request = { fromClientOrderId: range.from, beforeClientOrderId: range.before ?? '' };
  const pages = client.listOrders(request, { signal: silent.signal })[Symbol.asyncIterator]();
  let last = '';
  try {
    for (;;) {
      const timer = setTimeout(() => silent.abort(), timeoutMs);
      const page = await pages.next().finally(() => clearTimeout(timer));
      if (page.done === true) return;
      for (const report of page.value.reports) {
        const tradeId = orderIdOf(report.clientOrderId);
        if (tradeId <= last) throw new MalformedReportError(`order ${tradeId} is listed after ${last}`);
        last = tradeId;
        yield { tradeId, found: fromOrderReport(report) };
      }
    }
  } catch (error) {
    throw new ExchangeInDoubtError(error);
  } finally {
    silent.abort();
  }
}
