import { type ExchangeClient, type ListedOrder, MalformedReportError } from '@stockbroker/exchange-client';
import type { Store } from '@stockbroker/store';
import type { Database } from '@stockbroker/store/database';
import { type IdRange, readPartitionLeases, readTradesOfDay, recordAction } from '@stockbroker/store/operate';
import { ExchangeInDoubtError, type KnownOrder, settleReport } from '@stockbroker/trade-flow';
import type { Trade } from '@stockbroker/trading';
import { counted, grouped, table, UserError, wholeNumber } from '../cli.ts';
import { type Call, duration, moment, noArguments, type OpsCommand, type Result } from './command.ts';
import { compareOrder, type Difference } from './compareOrder.ts';
import { dayBounds, idsOf, TIME_ZONE, today } from './day.ts';
import { mergeById } from './mergeById.ts';
import { operatorName } from './operator.ts';
import type { Found } from './whyStuck.ts';

const HELP = `npm run ops -- reconcile: compares a day of trades with the exchange's journal, order by order, by id.

  --day DATE      the day, in the exchange's time zone (${TIME_ZONE}); default: today. On both sides a trade's day is that of its
                  id, made when it was placed: an order sent after midnight belongs to the day of its trade
  --all           all trades and orders ever, including orders whose ids contain no time
  --fix           settles trades that the exchange has ended and the broker has not, including those that the broker has not sent as far
                  as it knows (after a restore). It asks for each order by id and applies it through the same statement as a
                  callback. It changes nothing else; operators must handle the rest
  --in-flight AGE an order sent less than this ago is no difference yet; default 60s
  --limit N       how many differences to list; all are counted; default 100
  --operator NAME who runs --fix, for the record; default: OPERATOR, or the user of this machine
  --json, --data-dir, and the environment: see npm run ops -- --help

missing: a trade here that the exchange does not have. extra: an order at the exchange without a trade here. different: state, price,
quantity, side, ticker, execution or time differ. Each difference is checked twice, on both sides, before it counts; an order that was just
sent, or is open on both sides, is in flight and no difference. Both sides are read in order of id, in bounded memory.

Exit code: 0 no differences, or none left, 1 differences, 2 wrong usage, 3 the database or the exchange does not answer.
`;

export const reconcile: OpsCommand = {
  help: HELP,
  options: {
    day: { type: 'string' },
    all: { type: 'boolean', default: false },
    fix: { type: 'boolean', default: false },
    'in-flight': { type: 'string', default: '60s' },
    limit: { type: 'string', default: '100' },
    operator: { type: 'string' },
  },
  run: reconcileDay,
};

/** Suspects looked at again together. */
const BATCH = 256;
const TELL_EVERY_MS = 2_000;
const EVERYTHING: IdRange = { from: '00000000-0000-0000-0000-000000000000', before: null };

interface Sides {
  db: Database;
  store: Store;
  exchange: ExchangeClient;
}

type Listed = Omit<Difference, 'settleWith'> & { orderId: string; customerId: string | null };

async function reconcileDay({ args, values, servers, operator, say }: Call): Promise<Result> {
  noArguments('reconcile', args);
  if (values.all === true && values.day !== undefined) throw new UserError('Give --day or --all, not both.');
  const limit = wholeNumber('--limit', String(values.limit), { min: 1, max: 100_000 });
  const inFlightMs = duration('--in-flight', String(values['in-flight']));
  const day = values.all === true ? null : String(values.day ?? today(new Date()));
  const bounds = day === null ? null : dayBounds(day);
  const range = bounds === null ? EVERYTHING : idsOf(bounds);
  const sides = { db: await servers.db(), store: await servers.store(), exchange: await servers.exchange() };
  const counts = { trades: 0, orders: 0, inFlight: 0, missing: 0, extra: 0, different: 0, fixed: 0 };
  const listed: Listed[] = [];

  const judge = async (suspects: string[]) => {
    // At once: both clients make batches of them.
    for (const { id, trade, comparison } of await Promise.all(suspects.map((id) => lookAgain(sides, id, inFlightMs)))) {
      if (comparison.kind === 'same') continue;
      if (comparison.kind === 'in-flight') counts.inFlight += 1;
      else if (
        values.fix === true &&
        comparison.settleWith !== undefined &&
        (await fix(sides, servers, id, operatorName({ values, operator })))
      ) {
        counts.fixed += 1;
        say(`settled ${id}`);
      } else {
        counts[comparison.kind] += 1;
        const { kind, why } = comparison;
        if (listed.length < limit) listed.push({ orderId: id, customerId: trade?.customerId ?? null, kind, why });
      }
    }
  };
  const suspects: string[] = [];
  let toldAt = performance.now();
  const pairs = mergeById<Trade, ListedOrder>(readTradesOfDay(sides.db, range), sides.exchange.listOrders(range), {
    left: (trade) => trade.id,
    right: (order) => order.tradeId,
  });
  for await (const { id, left, right } of pairs) {
    counts.trades += left === null ? 0 : 1;
    counts.orders += right === null ? 0 : 1;
    const { kind } = compareOrder(left, right?.found ?? 'unknown', Date.now() - inFlightMs);
    if (kind === 'in-flight') counts.inFlight += 1;
    else if (kind !== 'same') suspects.push(id);
    if (suspects.length >= BATCH) await judge(suspects.splice(0));
    if (performance.now() - toldAt < TELL_EVERY_MS) continue;
    toldAt = performance.now();
    say(`${grouped(counts.trades)} trades, ${grouped(counts.orders)} orders compared`);
  }
  await judge(suspects);
  const remaining = counts.missing + counts.extra + counts.different;
  const text = [
    ...(listed.length === 0 ? [] : [table([['difference', 'order id', 'customer', 'what'], ...listed.map(row)]), '']),
    `${day === null ? 'Ever' : `${day} (${TIME_ZONE}${bounds === null ? '' : `: ${moment(bounds.from)} to ${moment(bounds.before)}`})`}: ` +
      `${counted(counts.trades, 'trade')}, ${counted(counts.orders, 'order')}, ${grouped(counts.inFlight)} in flight; ` +
      `${grouped(counts.missing)} missing, ${grouped(counts.extra)} extra, ${grouped(counts.different)} different` +
      `${values.fix === true ? `; ${grouped(counts.fixed)} settled now` : ''}.`,
  ].join('\n');
  const json = {
    day,
    timeZone: TIME_ZONE,
    from: bounds?.from ?? null,
    before: bounds?.before ?? null,
    ...counts,
    differences: listed,
  };
  return { attention: remaining > 0, text, json };
}

/** Both sides were read a while ago, and not at one moment: asked for by its id, most of what looked different is the same. */
async function lookAgain({ store, exchange }: Sides, id: string, inFlightMs: number) {
  const found = await findOrder(exchange, id);
  // The trade is read after the order: whatever the exchange has, has been marked here before.
  const trade = await store.readTrade(id);
  return { id, trade, comparison: compareOrder(trade, found, Date.now() - inFlightMs) };
}

async function findOrder(exchange: ExchangeClient, id: string): Promise<Found> {
  try {
    return await exchange.findOrder(id);
  } catch (error) {
    if (error instanceof ExchangeInDoubtError && error.cause instanceof MalformedReportError) return error.cause;
    throw error;
  }
}

/** As the lane does it when it has to ask. @returns true when the trade has ended so */
async function fix({ db, store, exchange }: Sides, servers: Call['servers'], id: string, operator: string): Promise<boolean> {
  const known = await exchange.recallOrder(id);
  if (known === null || typeof known.found === 'string') return false;
  const { found: report } = known;
  await adopt(db, store, id, known);
  const wake = await settledNews(servers);
  const clock = { now: () => Date.now() };
  const ports = { store, clock, wakeups: { tradePlaced: () => {}, tradeSettled: wake }, observe: () => {} };
  const raw = JSON.stringify(report, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
  const became = await settleReport(ports, report, Buffer.from(raw));
  if (became === 'settled')
    await recordAction(db, { operator, note: 'reconcile --fix', action: 'settle', subject: `trade ${id}` });
  return became !== 'quarantined';
}

/**
 * A trade whose row was put back to before it was sent is marked executed, without asking what its customer has, as a new leadership does
 * it; under the epoch of whoever leads, who is none the worse for it.
 */
async function adopt(db: Database, store: Store, id: string, { attempt, limitPrice, found }: KnownOrder): Promise<void> {
  const trade = await store.readTrade(id);
  if (trade?.status !== 'placed') return;
  const lease = (await readPartitionLeases(db)).find(({ partition }) => partition === trade.partition);
  const price = typeof found === 'object' && found.outcome.kind === 'filled' ? found.outcome.price : 1n;
  const decision = { adopt: { attempt, limitPrice: limitPrice ?? price } };
  await store.markExecuted({ trade, epoch: lease?.epoch ?? 0n, decision });
}

/** The customer's lane goes on at once when NATS is there, and soon when it is not. */
async function settledNews(servers: Call['servers']): Promise<(trade: Trade) => void> {
  try {
    const connection = await servers.nats();
    const { busNames, publishSettled } = await import('@stockbroker/bus');
    const names = busNames((await servers.natsConfig()).NATS_PREFIX);
    return (trade) => publishSettled(connection, names, trade);
  } catch {
    return () => {};
  }
}

function row({ kind, orderId, customerId, why }: Listed): string[] {
  return [kind, orderId, customerId ?? '-', why];
}
