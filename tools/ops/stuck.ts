import { type ExchangeClient, MalformedReportError } from '@stockbroker/exchange-client';
import { reasonOf, sleep } from '@stockbroker/runtime';
import { countStuckTrades, readStuckTrades, type StuckTrade } from '@stockbroker/store/operate';
import { ExchangeInDoubtError } from '@stockbroker/trade-flow';
import { grouped, table, wholeNumber } from '../cli.ts';
import { age, type Call, CannotTellError, duration, noArguments, type OpsCommand, type Result } from './command.ts';
import { type Facts, type Found, stuckRow, whyStuck } from './whyStuck.ts';

const HELP = `npm run ops -- stuck: trades that have been open for too long, oldest first, and the cause of each.

  --older-than AGE  only trades open for at least this long, e.g. 500ms, 30s, 5min, 2h; default 30s
  --limit N         how many to list; the rest are counted; default 50
  --json, --data-dir, and the environment: see npm run ops -- --help

Causes: ${['behind', 'no-leader', 'leader-unknown', 'exchange-unreachable', 'no-quote', 'leader-slow'].join(', ')} for placed trades;
not-at-exchange, open-at-exchange, quarantined, not-settled, malformed, exchange-unreachable for trades that were sent: for these the command asks the exchange.

Exit code: 0 no trade is that old, 1 some are, 2 wrong usage, 3 the database does not answer.
`;

/** How long the exchange may take to say hello. */
const QUOTES_MS = 3_000;

export const stuck: OpsCommand = {
  help: HELP,
  options: { 'older-than': { type: 'string', default: '30s' }, limit: { type: 'string', default: '50' } },
  run: findStuck,
};

async function findStuck({ args, values, servers }: Call): Promise<Result> {
  noArguments('stuck', args);
  const olderThanMs = duration('--older-than', String(values['older-than']));
  const limit = wholeNumber('--limit', String(values.limit), { min: 1, max: 10_000 });
  const db = await servers.db();
  const [counts, trades] = await Promise.all([
    countStuckTrades(db, { olderThanMs }),
    readStuckTrades(db, { olderThanMs, limit }),
  ]);
  const total = counts.reduce((sum, { count }) => sum + count, 0n);
  const facts = trades.length === 0 ? undefined : await findFacts(trades, servers);
  const found = facts === undefined ? [] : trades.map((trade) => ({ trade, ...whyStuck(trade, facts) }));
  const rows = found.map(({ trade, ...why }) => stuckRow(trade, why));
  const more = total - BigInt(rows.length);
  const text =
    total === 0n
      ? `No trade has been open for ${age(olderThanMs)} or more.`
      : [
          table([['age', 'order id', 'customer', 'status', 'what', 'why'], ...rows], [0]),
          ...(more > 0n ? [`and ${grouped(more)} more: see them with --limit`] : []),
          '',
          ...counts.map(({ status, behind, count, oldestMs }) => {
            return `${grouped(count)} ${status}${behind ? ', behind another' : ''}, the oldest for ${age(oldestMs)}`;
          }),
        ].join('\n');
  const json = {
    olderThanMs,
    total,
    counts,
    trades: found.map(({ trade, cause, why }) => ({ ...pick(trade), cause, why })),
  };
  return { attention: total > 0n, text, json };
}

function pick({
  id,
  customerId,
  partition,
  status,
  type,
  quantity,
  stockTicker,
  ageMs,
  createdAt,
  submittedAt,
  behind,
}: StuckTrade) {
  return { orderId: id, customerId, partition, status, type, quantity, stockTicker, ageMs, createdAt, submittedAt, behind };
}

/** Asks NATS and the exchange; what cannot be asked is a fact too. */
async function findFacts(trades: StuckTrade[], servers: Call['servers']): Promise<Facts> {
  const [leases, exchange] = await Promise.all([readLeases(servers), askExchange(trades, servers)]);
  return { leases, ...exchange };
}

async function readLeases(servers: Call['servers']): Promise<Facts['leases']> {
  try {
    return (await (await servers.leases()).read()).leases;
  } catch (error) {
    return { unknown: servers.explain(error) ?? reasonOf(error) };
  }
}

async function askExchange(trades: StuckTrade[], servers: Call['servers']): Promise<Omit<Facts, 'leases'>> {
  const orders = new Map<string, Found>();
  const cannot = (exchangeProblem: string) => ({ exchangeProblem, orders, quoteOf: () => undefined });
  try {
    const exchange = await servers.exchange();
    const sent = trades.filter(({ status, behind }) => status === 'executed' && behind === null);
    await Promise.all(sent.map(async ({ id }) => orders.set(id, await find(exchange, id))));
    const { quotes } = exchange;
    if (trades.some(({ status }) => status === 'placed') && !(await isTelling(quotes))) return cannot('it sends no quotes');
    const quoteOf: Facts['quoteOf'] = (ticker) => {
      const latest = quotes.latest(ticker);
      return latest === undefined ? 'unlisted' : latest === null ? 'none' : 'quoted';
    };
    return { exchangeProblem: undefined, orders, quoteOf };
  } catch (error) {
    if (error instanceof ExchangeInDoubtError || error instanceof CannotTellError) return cannot(servers.explain(error) ?? '');
    throw error;
  }
}

/** Asked for in batches by the client. */
async function find(exchange: ExchangeClient, id: string): Promise<Found> {
  try {
    return await exchange.findOrder(id);
  } catch (error) {
    if (error instanceof ExchangeInDoubtError && error.cause instanceof MalformedReportError) return error.cause;
    throw error;
  }
}

/** Waits for the first quotes. */
async function isTelling(quotes: ExchangeClient['quotes']): Promise<boolean> {
  const giveUpAt = performance.now() + QUOTES_MS;
  while (quotes.isListed('') === undefined && performance.now() < giveUpAt) await sleep(20);
  return quotes.isLive() && quotes.isListed('') !== undefined;
}
