import { RpcChannel, type RpcClient, type TlsSource } from '@stockbroker/rpc';
import {
  ExchangeServiceDefinition,
  type Instrument,
  type Order,
  SubmitOutcome,
  type SubmitResult,
} from '@stockbroker/rpc/exchange';
import { Batcher, combinations, type Log, type Metrics, SIZE_BUCKETS } from '@stockbroker/runtime';
import { type Exchange, ExchangeInDoubtError, type KnownOrder, type SubmitAnswer } from '@stockbroker/trade-flow';
import { Breaker } from './breaker.ts';
import { fromOrderReport, limitOf, orderIdOf, printable, toOrder } from './convert.ts';
import { type ListedOrder, listOrders, type OrderRange } from './listOrders.ts';
import { Quotes } from './quotes.ts';
import { Reach } from './reach.ts';
import { DEFAULT_QUOTE_RULES, QUOTE_FAULTS, type QuoteRules } from './screenQuote.ts';

export interface ExchangeClientOptions {
  /** host:port */
  address: string;
  apiKey: string;
  /** Undefined: no TLS. */
  tls?: TlsSource | undefined;
  /** Where the exchange reports results; needed by whoever submits orders. */
  callbackUrl?: string;
  /** Past it a call is in doubt. */
  timeoutMs: number;
  /** How long to wait for a quote that the exchange does not give. */
  quoteWaitMs: number;
  /** Default: as the variables have it. */
  quoteRules?: QuoteRules;
  /** The time by which quotes are old, or ahead of it, milliseconds since 1970. Default: this machine's. */
  now?: () => number;
  log: Log;
  metrics: Metrics;
}

/** The exchange as the flow's port, and what a gateway shows of it. */
export interface ExchangeClient extends Exchange {
  quotes: Quotes;
  listInstruments(): Promise<Instrument[]>;
  /** What the exchange has, in order of id. @throws ExchangeInDoubtError */
  listOrders(range: OrderRange): AsyncIterable<ListedOrder>;
  close(): Promise<void>;
}

const MAX_BATCH = 256;
const MAX_QUEUE = 100_000;
/** An outage is noticed and its length known this well. */
const LOOK_MS = 500;

/** Calls to the exchange, batched. Every failure to get an answer is ExchangeInDoubtError, whatever its cause. */
export function createExchangeClient(options: ExchangeClientOptions): ExchangeClient {
  const { tls } = options;
  const channel = new RpcChannel(options.address, { authorization: `Bearer ${options.apiKey}` }, tls?.identity);
  const unfollow = tls?.follow((identity) => channel.renew(identity));
  const client = channel.client(ExchangeServiceDefinition);
  const reach: Reach = new Reach(performance.now(), () => quotes.isLive());
  const quotes: Quotes = followQuotes(client, options, () => reach.look(performance.now()));
  const looking = setInterval(() => reach.look(performance.now()), LOOK_MS).unref();
  const breaker = new Breaker();
  const isReachable = () => quotes.isLive() && breaker.isClosed(performance.now());
  const calls = options.metrics.histogram('exchange_call_seconds', 'Duration of calls to the exchange', {
    labels: ['method', 'outcome'],
    kinds: combinations({ method: ['submitOrders', 'getOrders'], outcome: ['answered', 'in doubt'] }),
  });
  options.metrics.gauge('exchange_reachable', 'Whether calls to the exchange are answered and its quotes come: 1 or 0', () =>
    Number(isReachable()),
  );
  const sizes = options.metrics.histogram('exchange_batch_orders', 'Orders in one call', {
    labels: ['method'],
    kinds: combinations({ method: ['submitOrders', 'getOrders'] }),
    buckets: SIZE_BUCKETS,
  });

  const inDoubtOnFailure = async <T>(method: string, call: () => Promise<T>): Promise<T> => {
    const end = calls.startTimer({ method });
    try {
      const answer = await call();
      end({ outcome: 'answered' });
      breaker.succeeded();
      reach.answered(performance.now());
      return answer;
    } catch (error) {
      end({ outcome: 'in doubt' });
      breaker.failed(performance.now(), Math.random());
      reach.failed(performance.now());
      throw new ExchangeInDoubtError(error);
    }
  };
  const batched = <Item, Result>(method: string, run: (items: Item[]) => Promise<Result[]>) =>
    new Batcher<Item, Result>({
      name: method,
      maxBatch: MAX_BATCH,
      maxQueue: MAX_QUEUE,
      concurrency: 2,
      onBatch: (size) => sizes.observe({ method }, size),
      run: (items) => inDoubtOnFailure(method, () => run(items)),
    });

  const submit = batched('submitOrders', async (orders: Order[]) => {
    const { results } = await client.submitOrders({ orders }, { timeoutMs: options.timeoutMs });
    return matchById(orders, results);
  });
  const find = batched('getOrders', async (clientOrderIds: string[]) => {
    const { reports, unknownClientOrderIds } = await client.getOrders({ clientOrderIds }, { timeoutMs: options.timeoutMs });
    const answers = new Map<string, FindAnswer>(unknownClientOrderIds.map((id) => [orderIdOf(id), 'unknown']));
    for (const report of reports) {
      const { clientOrderId, attempt } = report;
      answers.set(orderIdOf(clientOrderId), { attempt, limitPrice: limitOf(report), found: fromOrderReport(report) });
    }
    return clientOrderIds.map((id) => answers.get(id));
  });
  const recall = async (tradeId: string): Promise<KnownOrder | null> => {
    const answer = await find.submit(tradeId);
    if (answer === undefined) throw new ExchangeInDoubtError(new Error(`the exchange's answer leaves out order ${tradeId}`));
    if (answer === 'unknown') return null;
    const { found } = answer;
    if (found instanceof Error) throw new ExchangeInDoubtError(found);
    return { ...answer, found };
  };
  return {
    quotes,
    isReachable,
    freshQuote: (stockTicker, type) => quotes.fresh(stockTicker, type, options.quoteWaitMs),
    submitOrder: async (trade) => {
      if (options.callbackUrl === undefined) throw new TypeError('orders are submitted without a callback URL');
      return toAnswer(await submit.submit(toOrder(trade, options.callbackUrl)));
    },
    awayForMs: () => reach.awayForMs(performance.now()),
    awayWithinMs: (periodMs) => reach.awayWithinMs(performance.now(), periodMs),
    findOrder: async (tradeId) => (await recall(tradeId))?.found ?? 'unknown',
    recallOrder: recall,
    listInstruments: async () => (await client.listInstruments({}, { timeoutMs: options.timeoutMs })).instruments,
    listOrders: (range) => listOrders(client, range, options.timeoutMs),
    close: async () => {
      clearInterval(looking);
      await Promise.all([submit.idle(), find.idle()]);
      await quotes.stop();
      unfollow?.();
      channel.close();
    },
  };
}

function followQuotes(
  client: RpcClient<typeof ExchangeServiceDefinition>,
  { log, metrics, quoteRules, now = Date.now }: ExchangeClientOptions,
  onHeard: () => void,
): Quotes {
  const refused = metrics.counter('quotes_refused_total', 'Quotes whose prices were not believed, by why', { why: QUOTE_FAULTS });
  const quotes = new Quotes(client, log, quoteRules ?? DEFAULT_QUOTE_RULES, {
    now,
    onRefused: (why) => refused.inc({ why }),
    onHeard,
  });
  metrics.gauge('quotes_stale', 'Stocks whose latest quote is too old', () => quotes.countStale());
  return quotes;
}

type FindAnswer = (Omit<KnownOrder, 'found'> & { found: ReturnType<typeof fromOrderReport> }) | 'unknown';

function matchById(orders: Order[], results: SubmitResult[]): (SubmitResult | undefined)[] {
  const byId = new Map(results.map((result) => [orderIdOf(result.clientOrderId), result]));
  return orders.map((order) => byId.get(order.clientOrderId));
}

function toAnswer(result: SubmitResult | undefined): SubmitAnswer {
  switch (result?.outcome) {
    case SubmitOutcome.SUBMIT_OUTCOME_ACCEPTED:
      return { kind: 'accepted' };
    case SubmitOutcome.SUBMIT_OUTCOME_INVALID:
      return { kind: 'invalid', message: printable(result.message) || 'no reason given' };
    case SubmitOutcome.SUBMIT_OUTCOME_CONFLICT:
      return { kind: 'conflict', message: printable(result.message) };
    default:
      throw new ExchangeInDoubtError(new Error("the exchange's answer leaves out an order"));
  }
}
