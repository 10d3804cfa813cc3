import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createMetrics, sleep } from '@stockbroker/runtime';
import { createStore, openAccounts, openDatabase, type Store } from '@stockbroker/store';
import { migrate } from '@stockbroker/store/migrate';
import { startPostgres } from '@stockbroker/testkit';
import { partitionOf, type Trade, type TradeType } from '@stockbroker/trading';

const HELP = `npm run storage [-- --customers 2000 --trades 40000 --batch 256 --fillfactor 50]

Takes trades through the three writing statements on a database of its own, then prints what it cost: how many updates were
heap-only (HOT), bytes on disk and of write-ahead log for each trade, and the plan of each hot statement.
`;

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
const PARTITIONS = 100;

const dir = mkdtempSync(join(tmpdir(), 'stockbroker-storage-'));
const plans = new Map<string, string[]>();
const server = await startPostgres({
  dataDir: join(dir, 'postgres'),
  settings: {
    shared_preload_libraries: 'auto_explain',
    'auto_explain.log_min_duration': '0',
    'auto_explain.log_analyze': 'on',
    'auto_explain.log_buffers': 'on',
    'auto_explain.log_timing': 'off',
    'auto_explain.sample_rate': '0.02',
  },
  log: collectPlans(),
});
try {
  await migrate(server.url, PARTITIONS);
  const options = { url: server.url, poolSize: 8, statementTimeoutMs: 60_000, onConnectionError: () => {} };
  const db = openDatabase(options);
  await db.$executeRawUnsafe(`ALTER TABLE trades SET (fillfactor = ${Number(values.fillfactor)})`);
  const store = createStore({ ...options, maxBatch: batch, maxQueue: 1_000_000 }, createMetrics('storage'));
  const ids = Array.from({ length: customers }, () => randomUUID());
  await openAccounts(
    db,
    ids.map((customerId) => ({ customerId, cash: 10n ** 12n, shares: { AAPL: 1_000_000 } })),
  );
  const epochs = await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => store.raiseEpoch(partition, 'storage')));
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
  await db.$disconnect();
} finally {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
}
for (const [name, lines] of plans) process.stdout.write(`\n### ${name}\n${lines.join('\n')}\n`);

/** The server's counts follow a statement by up to a second. */
async function untilCounted(db: ReturnType<typeof openDatabase>, updates: number): Promise<void> {
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
async function trade(store: Store, epochs: bigint[], customerId: string, count: number): Promise<void> {
  const partition = partitionOf(customerId, PARTITIONS);
  for (let i = 0; i < count; i += 1) {
    const type: TradeType = i % 2 === 0 ? 'buy' : 'sell';
    const order = { customerId, partition, stockTicker: 'AAPL', type, quantity: 1, queueForOpen: false };
    await store.insertTrade({ ...order, id: randomV7(), clientOrderId: randomUUID() });
    const oldest = (await store.readOldestOpenTrade({ customerId, partition, waiting: 'counted' })) as Trade;
    await store.markExecuted({ trade: oldest, epoch: epochs[partition] ?? 0n, decision: { limitPrice: 2_000_000n } });
    const outcome = { kind: 'filled', price: 1_900_000n, executionId: `e-${oldest.seq}`, executedAt: new Date() } as const;
    await store.settleTrade({ tradeId: oldest.id, stockTicker: 'AAPL', type, quantity: 1, outcome });
  }
}

/** As the gateway makes them: in the order of time. */
function randomV7(): string {
  const hex = Date.now().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${randomUUID().slice(15)}`;
}

async function tables(db: ReturnType<typeof openDatabase>, done: number): Promise<string> {
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

/** Keeps the last sampled plan of each named statement. */
function collectPlans(): (line: string) => void {
  let current: string[] | undefined;
  return (line) => {
    const name = /Query Text: \/\* (\w+) \*\//.exec(line)?.[1];
    if (name !== undefined) {
      current = [];
      plans.set(name, current);
    } else if (/^\d{4}-\d\d-\d\d /.test(line)) {
      current = undefined;
    } else if (current !== undefined && /cost=|Buffers|Filter|Cond|Trigger/.test(line)) {
      current.push(line.replaceAll('\t', '  ').replace(/\s+\(cost=.*?\)\s+/, '  '));
    }
  };
}
