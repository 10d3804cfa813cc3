import { RpcChannel } from '@stockbroker/rpc';
import { type JournalEntry, OrderState, Side, SimulatorServiceDefinition } from '@stockbroker/rpc/exchange';
import {
  type Database,
  type OpeningAccount,
  openDatabase,
  readAllTrades,
  readCash,
  readMislaidTrades,
  readShares,
} from '@stockbroker/store';
import { formatUsd, type Trade } from '@stockbroker/trading';

export interface BooksOptions {
  databaseUrl: string;
  exchange: { address: string; apiKey: string };
  /** What each customer began with. */
  openings: OpeningAccount[];
  /** How many trades were acknowledged to clients. */
  expectedTrades?: number;
  /** True when the test made the exchange lie about fills: then the journal's results need not be the broker's. */
  exchangeLied?: boolean;
}

export interface BooksReport {
  trades: number;
  byStatus: Record<string, number>;
  rejectedByCode: Record<string, number>;
  /** Empty when the books are exact. Each in words, with the ids it is about. */
  violations: string[];
}

/**
 * Proves the books over the final tables and the exchange's own journal: cash and shares are the openings plus and minus the
 * fills, holds are those of open trades, every fill in the journal is booked once and none is invented, and each customer's
 * trades reached the exchange in the order placed.
 */
export async function checkBooks(options: BooksOptions): Promise<BooksReport> {
  const db = openDatabase({ url: options.databaseUrl, poolSize: 2, statementTimeoutMs: 60_000, onConnectionError: () => {} });
  try {
    const trades = await Array.fromAsync(readAllTrades(db));
    const journal = await readJournal(options.exchange);
    const violations = [
      ...(await checkCash(db, options)),
      ...(await checkShares(db, options)),
      ...(await readMislaidTrades(db)).map((row) => `open_trades and trades disagree about ${row.tradeId} (${row.status})`),
      ...checkJournal(trades, journal, options.exchangeLied ?? false),
      ...checkOrder(trades, journal),
    ];
    if (options.expectedTrades !== undefined && trades.length !== options.expectedTrades) {
      violations.push(`${trades.length} trades are stored, ${options.expectedTrades} were acknowledged`);
    }
    return {
      trades: trades.length,
      byStatus: countBy(trades, (trade) => trade.status),
      rejectedByCode: countBy(
        trades.filter((trade) => trade.rejectCode !== null),
        (trade) => String(trade.rejectCode),
      ),
      violations,
    };
  } finally {
    await db.$disconnect();
  }
}

async function readJournal({ address, apiKey }: BooksOptions['exchange']): Promise<JournalEntry[]> {
  const channel = new RpcChannel(address, { authorization: `Bearer ${apiKey}` });
  try {
    const pages = await Array.fromAsync(channel.client(SimulatorServiceDefinition).listOrders({}, { timeoutMs: 60_000 }));
    return pages.flatMap((page) => page.entries);
  } finally {
    channel.close();
  }
}

async function checkCash(db: Database, { openings, exchangeLied }: BooksOptions): Promise<string[]> {
  const entries = new Map((await readCash(db)).map((entry) => [entry.customerId, entry]));
  return openings.flatMap(({ customerId, cash }) => {
    const entry = entries.get(customerId);
    if (entry === undefined) return [`customer ${customerId} has no balance any more`];
    const { amount, held, moved, holds } = entry;
    const violations: string[] = [];
    if (amount !== cash + moved) {
      violations.push(`cash of ${customerId} is ${formatUsd(amount)}, but opening and fills make ${formatUsd(cash + moved)}`);
    }
    if (held !== holds) violations.push(`${formatUsd(held)} of ${customerId} is held, but open buys hold ${formatUsd(holds)}`);
    if (amount < 0n && exchangeLied !== true) violations.push(`cash of ${customerId} is below zero: ${formatUsd(amount)}`);
    return violations;
  });
}

async function checkShares(db: Database, { openings }: BooksOptions): Promise<string[]> {
  const opening = new Map<string, bigint>(
    openings.flatMap(({ customerId, shares }) =>
      Object.entries(shares).map(([ticker, quantity]) => [`${customerId} ${ticker}`, BigInt(quantity)] as const),
    ),
  );
  return (await readShares(db)).flatMap(({ customerId, stockTicker, quantity, held, moved, holds }) => {
    const who = `${customerId} ${stockTicker}`;
    const expected = (opening.get(who) ?? 0n) + moved;
    const violations: string[] = [];
    if (quantity !== expected) violations.push(`shares of ${who} are ${quantity}, but opening and fills make ${expected}`);
    if (held !== holds) violations.push(`${held} shares of ${who} are held, but open sells hold ${holds}`);
    if (quantity < 0n) violations.push(`shares of ${who} are below zero: ${quantity}`);
    return violations;
  });
}

function checkJournal(trades: Trade[], journal: JournalEntry[], exchangeLied: boolean): string[] {
  const violations: string[] = [];
  const entries = new Map(journal.map((entry) => [entry.order?.clientOrderId ?? '', entry]));
  if (entries.size !== journal.length) violations.push('the journal has one order id twice');
  const executions = countBy(
    journal.filter((entry) => entry.report?.executionId !== ''),
    (entry) => entry.report?.executionId ?? '',
  );
  for (const [id, count] of Object.entries(executions))
    if (count > 1) violations.push(`execution ${id} stands ${count} times in the journal`);
  for (const trade of trades) {
    const entry = entries.get(trade.id);
    entries.delete(trade.id);
    const problem = compare(trade, entry, exchangeLied);
    if (problem !== null) violations.push(`trade ${trade.id} (${trade.status}): ${problem}`);
  }
  for (const id of entries.keys()) violations.push(`the exchange has an order ${id} that is no trade`);
  return violations;
}

function compare(trade: Trade, entry: JournalEntry | undefined, exchangeLied: boolean): string | null {
  if (entry === undefined) {
    if (trade.status === 'filled') return 'filled, but the exchange never had the order';
    return trade.status === 'rejected' && trade.submittedAt !== null && !exchangeLied
      ? 'sent, but the exchange never had the order'
      : null;
  }
  const { order, report } = entry;
  if (trade.submittedAt === null) return 'never marked executed, but the exchange has the order';
  const side = trade.type === 'buy' ? Side.SIDE_BUY : Side.SIDE_SELL;
  if (order?.ticker !== trade.stockTicker || order.side !== side || order.quantity !== trade.quantity)
    return 'the order is another one';
  if (exchangeLied) return null;
  if (report?.state === OrderState.ORDER_STATE_FILLED) {
    if (trade.status !== 'filled') return trade.status === 'rejected' ? 'filled at the exchange' : null;
    const same = trade.price !== null && formatUsd(trade.price) === report.price && trade.executionId === report.executionId;
    return same ? null : `filled at ${report.price} as ${report.executionId} at the exchange`;
  }
  if (report?.state === OrderState.ORDER_STATE_REJECTED) return trade.status === 'filled' ? 'rejected at the exchange' : null;
  return trade.status === 'filled' || trade.status === 'rejected' ? 'still open at the exchange' : null;
}

/** Each customer's orders must stand in the journal in the order in which the trades were placed. */
function checkOrder(trades: Trade[], journal: JournalEntry[]): string[] {
  const rank = new Map(journal.map((entry) => [entry.order?.clientOrderId ?? '', entry.sequence]));
  const latest = new Map<string, { rank: bigint; id: string }>();
  const violations: string[] = [];
  for (const { id, customerId } of trades) {
    const own = rank.get(id);
    if (own === undefined) continue;
    const before = latest.get(customerId);
    if (before !== undefined && before.rank > own)
      violations.push(`trade ${id} reached the exchange before ${before.id}, which was placed first`);
    latest.set(customerId, { rank: own, id });
  }
  return violations;
}

function countBy<T>(items: T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}
