import { type Handlers, RpcError, Status } from '@stockbroker/rpc';
import {
  Behaviour,
  type JournalEntry,
  type OrderReport,
  RejectReason,
  ReportOrdersRequest,
  type SimulatorServiceDefinition,
} from '@stockbroker/rpc/exchange';
import type { Authorize } from './apiKey.ts';
import { isCallbackUrl } from './callbackUrl.ts';
import type { Exchange } from './exchange.ts';
import type { Faults } from './faults.ts';
import type { Journal } from './journal.ts';
import type { Market } from './market.ts';
import { type OrderRecord, type Outcome, toReport } from './order.ts';
import { formatPriceE4, parsePriceE4 } from './prices.ts';
import { newMessageId, type Senders } from './sendReports.ts';

const PAGE = 500;
const MAX_REPORTS = 1_000;

interface SimulatorServiceParts {
  exchange: Exchange;
  market: Market;
  journal: Journal;
  faults: Faults;
  senders: Senders;
  authorize: Authorize;
}

/** exchange.v1.SimulatorService: what no real exchange has. */
export function simulatorService(parts: SimulatorServiceParts): Handlers<typeof SimulatorServiceDefinition> {
  const { exchange, market, journal, faults, senders, authorize } = parts;
  return {
    async setBehaviour({ behaviour }, context) {
      authorize(context);
      const wasManual = faults.behaviour.manual;
      try {
        faults.set(behaviour ?? Behaviour.fromPartial({}));
      } catch (error) {
        if (error instanceof RangeError) throw invalid('behaviour', error.message);
        throw error;
      }
      if (wasManual && !faults.behaviour.manual) exchange.scheduleOpen();
      return {};
    },

    async setQuote({ ticker, bid, ask, halted }, context) {
      authorize(context);
      const bidE4 = bid === '' ? undefined : priceOf('bid', bid);
      const askE4 = ask === '' ? undefined : priceOf('ask', ask);
      if (!market.setQuote(ticker, bidE4, askE4, halted)) throw new RpcError(Status.NOT_FOUND, `${ticker} is not listed`);
      return {};
    },

    async completeOrder({ clientOrderId, price, rejectReason, rejectMessage }, context) {
      authorize(context);
      if (!Object.values(RejectReason).includes(rejectReason)) throw invalid('reject_reason', 'is unknown');
      const reason = rejectReason === RejectReason.REJECT_REASON_UNSPECIFIED ? RejectReason.REJECT_REASON_OTHER : rejectReason;
      const outcome: Outcome =
        price === '' ? { filled: false, reason, message: rejectMessage } : { filled: true, priceE4: priceOf('price', price) };
      const completed = exchange.completeByHand(clientOrderId, outcome);
      if (completed === undefined) {
        const known = exchange.find(clientOrderId) !== undefined;
        throw new RpcError(Status.FAILED_PRECONDITION, `order ${clientOrderId} is ${known ? 'complete already' : 'unknown'}`);
      }
      return { report: toReport(completed) };
    },

    async sendReport({ callbackUrl, reports }, context) {
      authorize(context);
      if (!isCallbackUrl(callbackUrl)) throw invalid('callback_url', 'must be http(s)://… or grpc://host:port');
      if (reports.length > MAX_REPORTS) throw invalid('reports', `must have at most ${MAX_REPORTS} entries`);
      const answer = await sendOnce(senders, callbackUrl, reports);
      return { delivered: answer.delivered, answer: answer.text };
    },

    async *listOrders(_request, context) {
      authorize(context);
      let last = 0;
      for (;;) {
        const orders = journal.page(last, PAGE);
        const end = orders.at(-1);
        if (end === undefined) return;
        last = end.sequence;
        yield { entries: orders.map(toEntry) };
      }
    },
  };
}

async function sendOnce(senders: Senders, callbackUrl: string, reports: OrderReport[]) {
  try {
    ReportOrdersRequest.toJSON({ reports });
  } catch (error) {
    // An enum value that protobuf JSON has no name for.
    throw invalid('reports', (error as Error).message);
  }
  const sender = senders.open(callbackUrl);
  try {
    return await sender.send(newMessageId(), reports);
  } finally {
    sender.close();
  }
}

function toEntry(record: OrderRecord): JournalEntry {
  const { sequence, clientOrderId, ticker, side, quantity, callbackUrl, attempt, delivered } = record;
  const order = { clientOrderId, ticker, side, quantity, limitPrice: formatPriceE4(record.limitPriceE4), callbackUrl, attempt };
  return { sequence: BigInt(sequence), order, report: toReport(record), delivered };
}

function priceOf(field: string, text: string): number {
  const priceE4 = parsePriceE4(text);
  if (priceE4 === undefined) throw invalid(field, 'must be above zero and written with four places, e.g. "189.9200"');
  return priceE4;
}

function invalid(field: string, description: string): RpcError {
  return new RpcError(Status.INVALID_ARGUMENT, `${field} ${description}`, { violations: [{ field, description }] });
}
