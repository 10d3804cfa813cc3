import { randomUUID } from 'node:crypto';
import type { ExchangeClient } from '@stockbroker/exchange-client';
import { type CallContext, type Handlers, RpcError, Status } from '@stockbroker/rpc';
import { SessionPolicy, type TradeStatus, type TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import type { Store } from '@stockbroker/store';
import {
  type CancelPorts,
  cancelTrade,
  findRetried,
  NoAccountError,
  NoTradeError,
  type PlacePorts,
  placeTrade,
} from '@stockbroker/trade-flow';
import { formatUsd, mayHaveBeenValid, partitionOf, type Trade, uuidOf, validateOrder } from '@stockbroker/trading';
import type { Admission } from './admission.ts';
import { fromTradeStatus, fromTradeType, toAccountMessage, toQuoteMessage, toTradeMessage } from './convert.ts';
import { checkTicker, invalidArgument, invalidField } from './errors.ts';
import type { Instruments } from './instruments.ts';
import { pageSize, readPageToken, writePageToken } from './pages.ts';
import { withPatience } from './patience.ts';
import type { Prices } from './prices.ts';
import type { Watching } from './watching.ts';

export interface TradingPorts {
  /** Has let the calls pass. */
  admission: Pick<Admission, 'customerOf' | 'otherCustomer'>;
  place: PlacePorts & CancelPorts;
  store: Store;
  exchange: ExchangeClient;
  instruments: Instruments;
  prices: Prices;
  watching: Watching;
  partitions: number;
  /** How long a call waits for a database that is away. */
  patienceMs: number;
}

/** A page of some statuses is looked for so often, each time a little further; then it is given as it is, for the client to go on. */
const MAX_LIST_STEPS = 10;

type TradingHandlers = Handlers<typeof TradingServiceDefinition>;

/** The methods of stockbroker.v1.TradingService, for whatever transport carries them. */
export function tradingService(ports: TradingPorts): TradingHandlers {
  const customerOf = (context: CallContext) => ports.admission.customerOf(context);
  const patiently = <T>(context: CallContext, run: () => Promise<T>) => withPatience(context, ports.patienceMs, run);
  return {
    placeTrade: async (request, context) => {
      const customerId = customerOf(context);
      if (request.customerId !== '' && uuidOf(request.customerId) !== customerId) throw ports.admission.otherCustomer(context);
      const order = {
        customerId,
        clientOrderId: request.clientOrderId === '' ? randomUUID() : request.clientOrderId,
        stockTicker: request.stockTicker,
        type: fromTradeType(request.type),
        quantity: request.quantity,
        queueForOpen: request.sessionPolicy === SessionPolicy.SESSION_POLICY_QUEUE_FOR_OPEN,
      };
      if (!isSessionPolicy(request.sessionPolicy))
        throw invalidField('session_policy', 'must be REJECT_WHEN_CLOSED or QUEUE_FOR_OPEN');
      const violations = validateOrder(order, (ticker) => ports.exchange.quotes.isListed(ticker));
      const { type } = order;
      if (type === undefined) throw invalidArgument(violations);
      if (violations.length > 0) {
        // A retry has the answer of its first attempt, whatever has changed since.
        const isRetry = request.clientOrderId !== '' && mayHaveBeenValid(violations);
        const find = () => findRetried({ ...ports.place, store: ports.store }, { ...order, type });
        const existing = isRetry ? await patiently(context, find) : null;
        if (existing === null) throw invalidArgument(violations);
        return toTradeMessage(existing);
      }
      const place = () => placeTrade(ports.place, ports.partitions, { ...order, type }, context.signal);
      return toTradeMessage(await patiently(context, place));
    },

    cancelTrade: async ({ orderId }, context) => {
      const asked = { customerId: customerOf(context), tradeId: orderIdOf(orderId) };
      return toTradeMessage(await patiently(context, () => cancelTrade(ports.place, asked)));
    },

    getTrade: async (request, context) => {
      const customerId = customerOf(context);
      const orderId = orderIdOf(request.orderId);
      const trade = await patiently(context, () => ports.store.readTrade(orderId));
      // Another customer's trade is as good as none: ids must tell nothing.
      if (trade === null || trade.customerId !== customerId) throw new NoTradeError(orderId);
      return toTradeMessage(trade);
    },

    listTrades: async (request, context) => {
      const customerId = customerOf(context);
      const statuses = [...new Set(request.statuses.map(knownStatus))].sort();
      const filter = statuses.join();
      const limit = pageSize(request.pageSize, { standard: 50, most: 500 });
      const partition = partitionOf(customerId, ports.partitions);
      const position = readPageToken(request.pageToken, filter, /^\d{1,18}$/);
      const trades: Trade[] = [];
      let before = position === null ? null : BigInt(position);
      for (let steps = 0; steps < MAX_LIST_STEPS && trades.length <= limit; steps += 1) {
        // One more than is given: whether there are others.
        const asked = { customerId, partition, before, statuses, limit: limit + 1 - trades.length };
        const found = await patiently(context, () => ports.store.listTrades(asked));
        trades.push(...found.trades);
        before = found.next;
        if (before === null) break;
      }
      const page = trades.slice(0, limit);
      const next = trades.length > limit ? page.at(-1)?.seq : before;
      return { trades: page.map(toTradeMessage), nextPageToken: next == null ? '' : writePageToken(String(next), filter) };
    },

    getAccount: async (_request, context) => {
      const customerId = customerOf(context);
      const account = await patiently(context, () => ports.store.readAccount(customerId));
      if (account === null) throw new NoAccountError(customerId);
      return toAccountMessage(account);
    },

    getQuote: async ({ stockTicker }) => {
      checkTicker(stockTicker, 'stock_ticker');
      const latest = ports.exchange.quotes.latest(stockTicker);
      if (!ports.exchange.quotes.isLive() || latest === null) throw noQuote(stockTicker);
      if (latest === undefined) throw unknownTicker(stockTicker);
      return toQuoteMessage({ stockTicker, latest });
    },

    listInstruments: async (request) => {
      const all = ports.instruments.all();
      if (all === undefined) throw notYet('the list of stocks has not been read from the exchange yet');
      const limit = pageSize(request.pageSize, { standard: 1_000, most: 1_000 });
      const after = readPageToken(request.pageToken, '', /^[A-Z.]{1,10}$/) ?? '';
      const rest = all.filter(({ stockTicker }) => stockTicker > after);
      const instruments = rest.slice(0, limit);
      const last = instruments.at(-1);
      return {
        instruments,
        nextPageToken: rest.length > limit && last !== undefined ? writePageToken(last.stockTicker, '') : '',
      };
    },

    listPrices: async ({ stockTicker }) => {
      checkTicker(stockTicker, 'stock_ticker');
      const { quotes } = ports.exchange;
      if (quotes.isListed(stockTicker) === undefined) throw noQuote(stockTicker);
      if (quotes.isListed(stockTicker) === false) throw unknownTicker(stockTicker);
      return { prices: ports.prices.of(stockTicker).map(({ quotedAt, price }) => ({ quotedAt, price: formatUsd(price) })) };
    },

    async *watchTrades({ afterRevision }, context) {
      const customerId = customerOf(context);
      yield* ports.watching.trades(customerId, afterRevision, context);
    },

    async *watchQuotes({ stockTickers }, context) {
      yield* ports.watching.quotes(stockTickers, context);
    },
  };
}

function orderIdOf(orderId: string): string {
  const id = uuidOf(orderId);
  if (id === undefined) throw invalidField('order_id', 'must be a UUID');
  return id;
}

/** A newer client may know more of them. */
function isSessionPolicy(policy: SessionPolicy): boolean {
  return Object.values(SessionPolicy).includes(policy);
}

function knownStatus(status: TradeStatus): Trade['status'] {
  const known = fromTradeStatus(status);
  if (known === undefined) throw invalidField('statuses', 'must be among PLACED, EXECUTED, FILLED and REJECTED');
  return known;
}

function unknownTicker(stockTicker: string): RpcError {
  return new RpcError(Status.NOT_FOUND, `${stockTicker} is not listed; ListInstruments names all tickers`, {
    info: { reason: 'UNKNOWN_TICKER' },
  });
}

function noQuote(stockTicker: string): RpcError {
  return new RpcError(Status.UNAVAILABLE, `there is no fresh quote for ${stockTicker}`, {
    info: { reason: 'NO_QUOTE' },
    retryAfterMs: 1_000,
  });
}

function notYet(message: string): RpcError {
  return new RpcError(Status.UNAVAILABLE, message, { info: { reason: 'EXCHANGE_UNAVAILABLE' }, retryAfterMs: 1_000 });
}
