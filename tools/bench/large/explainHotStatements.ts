import { openDatabase } from '@stockbroker/store/database';
import { openOverPg } from '../overPg.ts';
import { collectPlans } from '../plans.ts';
import { markOf, PARTITIONS, reportOf, takePartitions } from '../tradeDatabase.ts';
import { oldCustomers, orderOfOldCustomer } from './oldCustomers.ts';

export interface Explained {
  statement: string;
  /** Trades or customers in it. */
  rows: number;
  /** Of 8 kB that it has looked at, each time that it did, in memory or not. */
  pages: number;
  /** Tables that it has read whole. */
  readWhole: string[];
  plan: readonly string[];
}

/** The server plans the first five anew with their parameters in sight, and may keep a general plan from then on. */
const REPEATS = 8;

/**
 * What each hot statement does in this database: EXPLAIN (ANALYZE, BUFFERS) of the statements themselves as they are prepared and run,
 * with real trades of customers of the database, which are filled in the end.
 *
 * @param rows trades in a batch
 */
export async function explainHotStatements(databaseUrl: string, rows = 64): Promise<Explained[]> {
  const db = openDatabase({ url: databaseUrl, poolSize: 2, statementTimeoutMs: 600_000, onConnectionError: () => {} });
  const plans = collectPlans(1);
  const { statements, query, close } = await openOverPg(databaseUrl, plans.log);
  try {
    const epochs = await takePartitions(db);
    const customers = await oldCustomers(databaseUrl, rows * REPEATS);
    await query("LOAD 'auto_explain'");
    for (const [name, value] of Object.entries(plans.settings))
      if (name.startsWith('auto_explain')) await query(`SET ${name} = ${value}`);
    await query('SET client_min_messages = log');
    for (let i = 0; i < REPEATS; i += 1) {
      const some = customers.slice(i * rows, (i + 1) * rows);
      const asked = some.map(({ customerId, partition }) => ({ customerId, partition, waiting: 'counted' }) as const);
      await statements.insertTrades(some.map((customer) => orderOfOldCustomer(customer, 'buy')));
      await statements.readOpenCustomers(
        [...Array(PARTITIONS).keys()].map((partition) => ({ partition, limit: 1_000, waiting: 'counted' })),
      );
      const oldest = (await statements.readOldestOpenTrades(asked)).filter((trade) => trade !== null);
      await statements.markTradesExecuted(oldest.map((trade) => markOf(trade, epochs)));
      const settled = await statements.settleTrades(oldest.map(reportOf));
      if (settled.length !== some.length || settled.includes(null)) throw new Error('a trade was not settled');
      await statements.readTrades(oldest.map(({ id }) => id));
      await statements.readSnapshots(asked.slice(0, 16));
      await statements.readChanges(
        settled.map((each, n) => ({ ...(some[n] as (typeof some)[0]), revision: (each?.trade.finalRevision ?? 0) - 3 })),
      );
    }
  } finally {
    await close();
    await db.$disconnect();
  }
  return [...plans.byStatement].map(([statement, plan]) => ({
    statement,
    rows: statement === 'readSnapshots' ? 16 : rows,
    pages: pagesOf(plan),
    readWhole: [...new Set(plan.flatMap((line) => /Seq Scan on (\w+)/.exec(line)?.[1] ?? []))],
    plan,
  }));
}

/**
 * The first node's count has those of all nodes that it waits for in it. Changes that tell nothing run after them, each counted by
 * itself.
 */
function pagesOf(plan: readonly string[]): number {
  const isNode = (line: string) => /actual rows=|never executed/.test(line);
  const buffersOf = (node: number) => {
    const next = plan.findIndex((line, i) => i > node && isNode(line));
    return plan.slice(node, next === -1 ? undefined : next).find((line) => line.includes('Buffers:')) ?? '';
  };
  const counted = plan.flatMap((line, i) => {
    const isAfter = /(Insert|Update|Delete) on .*actual rows=0/.test(line);
    return i === 0 || isAfter ? [buffersOf(i)] : [];
  });
  return [...counted.join(' ').matchAll(/(?:hit|read)=(\d+)/g)].reduce((sum, [, pages]) => sum + Number(pages), 0);
}
