import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createMetrics, sleep } from '@stockbroker/runtime';
import { createStore, type Store } from '@stockbroker/store';
import type { Database } from '@stockbroker/store/database';
import { startPostgres } from '@stockbroker/testkit';
import { openRunFolder } from '@stockbroker/testkit/runs';
import type { Trade } from '@stockbroker/trading';
import { collectPlans } from './bench/plans.ts';
import { markOf, openTradeDatabase, orderOf, reportOf } from './bench/tradeDatabase.ts';
import { dropPostgresVariables, guardOutput } from './cli.ts';

const HELP = `npm run storage [-- --customers 2000 --trades 40000 --batch 256 --fillfactor 50]

Runs trades through the three writing statements on a separate database, then prints what they cost: how many updates were heap-only
(HOT), bytes on disk and of write-ahead log for each trade, and the plan of each hot statement.
`;

guardOutput();
dropPostgresVariables();
const { values } = parseArgs({
  options: {
    customers: { type: 'string', default: '2000' },
    trades: { type: 'string', default: '40000' },
    batch: { type: 'string', default: '256' },
    fillfactor: { type: 'string', default: '50' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const customers = Number(values.customers);
const trades = Number(values.trades);
const batch = Number(values.batch);

const dir = openRunFolder('storage');
const plans = collectPlans(0.02);
const server = await startPostgres({ dataDir: join(dir, 'postgres'), settings: plans.settings, log: plans.log });
try {
  const database = await openTradeDatabase(server.url, customers);
  const { db, customers: ids, epochs } = database;
  await db.$executeRawUnsafe(`ALTER TABLE trades SET (fillfactor = ${Number(values.fillfactor)})`);
  const options = { url: server.url, poolSize: 8, statementTimeoutMs: 60_000, onConnectionError: () => {} };
  const store = createStore({ ...options, maxBatch: batch, maxQueue: 1_000_000 }, createMetrics('storage'));
  await db.$executeRawUnsafe('CHECKPOINT');
  const [wal] = await db.$queryRaw<{ at: string }[]>`SELECT pg_current_wal_lsn()::text AS at`;
  const startedMs = performance.now();
  const perCustomer = Math.ceil(trades / customers);
  await Promise.all(ids.map((customerId) => trade(store, epochs, customerId, perCustomer)));
  const done = perCustomer * customers;
  const seconds = (performance.now() - startedMs) / 1_000;
  const [walBytes] = await db.$queryRaw<{ bytes: bigint }[]>`
    SELECT (pg_current_wal_lsn() - ${wal?.at ?? '0/0'}::pg_lsn)::bigint AS bytes`;
  await untilCounted(db, 2 * done);
  process.stdout.write(
    `${done} trades of ${customers} customers, batches of up to ${batch}, fillfactor ${values.fillfactor}: ${(done / seconds).toFixed(0)} trades a second\n\n`,
  );
  process.stdout.write(await tables(db, done));
  process.stdout.write(`\nwrite-ahead log: ${(Number(walBytes?.bytes ?? 0n) / done).toFixed(0)} bytes a trade\n`);
  await store.close();
  await database.close();
} finally {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
}
for (const [name, lines] of plans.byStatement) process.stdout.write(`\n### ${name}\n${lines.join('\n')}\n`);

/** The server's counts follow a statement by up to a second. */
async function untilCounted(db: Database, updates: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const [row] = await db.$queryRaw<
      { count: bigint }[]
    >`SELECT n_tup_upd AS count FROM pg_stat_user_tables WHERE relname = 'trades'`;
    if (Number(row?.count) >= updates) return;
    await sleep(100);
  }
}

/** One customer's trades, one after the other: placed, marked, filled. */
async function trade(store: Store, epochs: readonly bigint[], customerId: string, count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    const order = orderOf(customerId, turn);
    await store.insertTrade(order);
    const { partition } = order;
    const oldest = (await store.readOldestOpenTrade({ customerId, partition, waiting: 'counted' })) as Trade;
    await store.markExecuted(markOf(oldest, epochs));
    await store.settleTrade(reportOf(oldest));
  }
}

async function tables(db: Database, done: number): Promise<string> {
  const rows = await db.$queryRaw<{ name: string; updates: bigint; hot: bigint; heap: bigint; indexes: bigint }[]>`
    SELECT relname AS name, n_tup_upd AS updates, n_tup_hot_upd AS hot, pg_relation_size(relid) AS heap, pg_indexes_size(relid) AS indexes
    FROM pg_stat_user_tables WHERE relname IN ('trades', 'open_trades', 'balances', 'positions', 'partition_leases') ORDER BY relname`;
  const lines = rows.map(({ name, updates, hot, heap, indexes }) => {
    const share = updates === 0n ? '-' : `${((Number(hot) * 100) / Number(updates)).toFixed(1)} %`;
    return `| ${name} | ${updates} | ${share} | ${(Number(heap) / done).toFixed(0)} | ${(Number(indexes) / done).toFixed(0)} |`;
  });
  return [
    '| table | updates | of them HOT | heap bytes a trade | index bytes a trade |',
    '|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}
