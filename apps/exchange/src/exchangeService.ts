import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CallContext, type Handlers, RpcError, Status } from '@stockbroker/rpc';
import type { ExchangeServiceDefinition, OrderReport, StreamQuotesResponse } from '@stockbroker/rpc/exchange';
import { OverloadedError, sleep } from '@stockbroker/runtime';
import type { Authorize } from './apiKey.ts';
import type { Exchange } from './exchange.ts';
import type { Faults } from './faults.ts';
import type { Journal } from './journal.ts';
import { listOrders } from './listOrders.ts';
import type { Market } from './market.ts';
import { toReport } from './order.ts';
import { streamQuotes } from './streamQuotes.ts';

const MAX_ORDERS = 1_000;
/** A caller without a deadline of its own is let go after this, so that swallowed calls do not pile up. */
const SWALLOW_MS = 60_000;

interface ExchangeServiceParts {
  exchange: Exchange;
  journal: Journal;
  market: Market;
  faults: Faults;
  authorize: Authorize;
  maxQuoteStreams: number;
  /** Aborts when the process stops. */
  stopping: AbortSignal;
}

/** exchange.v1.ExchangeService, as its member brokers see it. */
export function exchangeService(parts: ExchangeServiceParts): Handlers<typeof ExchangeServiceDefinition> {
  const { exchange, journal, market, faults, authorize, maxQuoteStreams, stopping } = parts;
  let quoteStreams = 0;

  const checkAvailable = () => {
    if (faults.behaviour.unavailable) throw unavailable('the exchange is unavailable (simulated)');
    if (stopping.aborted) throw unavailable('the exchange is stopping');
  };
  const enter = (context: CallContext) => {
    authorize(context);
    checkAvailable();
  };

  async function* quotes(context: CallContext): AsyncIterable<StreamQuotesResponse> {
    enter(context);
    if (quoteStreams >= maxQuoteStreams) throw new OverloadedError('quote streams', 1_000);
    quoteStreams += 1;
    try {
      yield* streamQuotes(market, AbortSignal.any([context.signal, stopping]), checkAvailable);
      checkAvailable();
    } finally {
      quoteStreams -= 1;
    }
  }

  return {
    async submitOrders({ orders }, context) {
      enter(context);
      checkCount('orders', orders.length);
      const results = await exchange.submit(orders);
      if (faults.behaviour.swallowAnswers) {
        await sleep(SWALLOW_MS, AbortSignal.any([context.signal, stopping]));
        throw unavailable('the answer was swallowed (simulated)');
      }
      return { results };
    },

    async getOrders({ clientOrderIds }, context) {
      enter(context);
      checkCount('client_order_ids', clientOrderIds.length);
      const reports: OrderReport[] = [];
      const unknownClientOrderIds: string[] = [];
      for (const id of clientOrderIds) {
        const order = exchange.find(id);
        if (order === undefined) unknownClientOrderIds.push(id);
        else reports.push(toReport(order));
      }
      return { reports, unknownClientOrderIds };
    },

    async *listOrders(request, context) {
      enter(context);
      for (const reports of listOrders(journal, request)) {
        checkAvailable();
        yield { reports };
        await nextTurn(); // A page blocks for a millisecond; orders come in between two.
      }
    },

    async listInstruments(_request, context) {
      enter(context);
      return { instruments: market.listings().map(({ ticker, name }) => ({ ticker, name })) };
    },

    streamQuotes: (_request, context) => quotes(context),
  };
}

function unavailable(why: string): RpcError {
  return new RpcError(Status.UNAVAILABLE, why, { retryAfterMs: 1_000 });
}

function checkCount(field: string, count: number): void {
  if (count >= 1 && count <= MAX_ORDERS) return;
  const description = `must have 1 to ${MAX_ORDERS} entries, but has ${count}`;
  throw new RpcError(Status.INVALID_ARGUMENT, `${field} ${description}`, { violations: [{ field, description }] });
}
