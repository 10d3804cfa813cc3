import { randomUUID } from 'node:crypto';
import type { Trade, TradeStatus } from '@stockbroker/trading';
import { beforeAll, expect, test } from 'vitest';
import { fill, mark, openBank, order } from './bank.ts';
import { explainStatements } from './explain.ts';

/*
 * Every night all trades have ended, autovacuum notes that open_trades is empty, and a statement that is planned then must do as well when
 * the next session opens. The worst such night: all tables are empty, analyzed, and all statements are planned before the first row comes.
 */
const CUSTOMERS = 3_000;
const OLD_TRADES_OF_EACH = 10;
/** Of one customer, beside the others. */
const OLD_TRADES_OF_ONE = 5_000;
const PARTITIONS = 100;
/** By which all old trades were final. */
const OLD_REVISION = 3;
/** That a statement may look at for each row that it is given: a customer's old trades and a little. */
const ROWS = 20;
/** Three or four pages a probe of an index; some statements have a dozen probes for each row, and readings of ten trades. */
const PAGES = 80;
const NOBODY = { customerId: '00000000-0000-7000-8000-000000000000', partition: 0 };

/** Pages of all trades, of open ones, and of those that no index knows. */
const LISTED: TradeStatus[][] = [[], ['placed', 'executed'], ['filled']];

type Customer = typeof NOBODY;

const { url, db } = await openBank();
const explained = await explainStatements(url);
const { statements } = explained;

beforeAll(async () => {
  for (const table of ['trades', 'open_trades', 'balances', 'positions', 'callback_quarantine'])
    await db.$executeRawUnsafe(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`);
  await db.$executeRawUnsafe('ANALYZE');
  await runAll([NOBODY]);
  await fillTables();
  explained.taken();
  return explained.close;
}, 120_000);

test.each([1, 256])(
  'a batch of %i reads by index what it is about, although all was planned while the tables were empty',
  async (rows) => {
    await runAll(await customers(rows));
    const runs = explained.taken();
    const all = [...Object.keys(statements), 'readExistingTrades', 'readTimeline'];
    expect(new Set(runs.map(({ statement }) => statement))).toEqual(new Set(all));
    const found = runs.flatMap(({ statement, scans, compared }) => {
      const tables = scans.filter(({ table }) => !bounded.has(`${statement} ${table}`));
      const pages = tables.reduce((sum, scan) => sum + scan.pages, 0);
      const sum = { compared: compared > rows * ROWS ? compared : 0, pages: pages > rows * PAGES ? pages : 0 };
      const scanned = tables.filter((scan) => !scan.isByIndex || scan.rows > rows * ROWS);
      return sum.compared + sum.pages + scanned.length === 0 ? [] : [{ statement, ...sum, scanned }];
    });
    expect(found).toEqual([]);
  },
);

/** What is read whole on purpose: a row for each partition, and a partition's open trades, by its number. */
const bounded = new Set(['raiseEpochs partition_leases', 'markTradesExecuted partition_leases', 'readOpenCustomers open_trades']);

/** Each statement of the store over these customers, with trades that are placed, marked, refused, canceled and filled. */
async function runAll(asked: Customer[]): Promise<void> {
  const orders = asked.map(({ customerId, partition }, i) =>
    order(customerId, { partition, type: i % 2 === 0 ? 'buy' : 'sell' }),
  );
  const partitions = [...new Set(asked.map(({ partition }) => partition))];
  await statements.insertTrades(orders);
  await statements.insertTrades(orders.map((each) => ({ ...each, id: randomUUID() })));
  await statements.readOpenCustomers(partitions.map((partition) => ({ partition, limit: 10, waiting: 'counted' })));
  const found = await statements.readOldestOpenTrades(asked.map((each) => ({ ...each, waiting: 'counted' })));
  const oldest = found.filter((trade): trade is Trade => trade !== null);
  const epochs = await statements.raiseEpochs(partitions.map((partition) => ({ partition, leader: 'test' })));
  const epochOf = (partition: number) => epochs[partitions.indexOf(partition)]?.epoch ?? 0n;
  const refusal = { code: 'HALTED', stockTicker: 'AAPL' } as const;
  await statements.markTradesExecuted(
    oldest.map((trade, i) => mark(trade, epochOf(trade.partition), i % 7 === 3 ? { refusal } : { limitPrice: 100n })),
  );
  await statements.cancelTrades(orders.map(({ customerId, id }) => ({ customerId, tradeId: id })));
  await statements.settleTrades(oldest.map((trade) => fill(trade, 100n)));
  await statements.readTurns(oldest.map(({ customerId, seq }) => ({ customerId, seq })));
  await statements.readTrades(oldest.map(({ id }) => id));
  await statements.quarantineCallbacks([{ tradeId: null, why: randomUUID(), raw: Buffer.of(1) }]);
  await statements.readSnapshots(asked.slice(0, 16));
  await statements.readChanges(asked.map(({ customerId }) => ({ customerId, revision: OLD_REVISION })));
  await statements.readNewRevisions(asked.map(({ customerId }) => ({ customerId, revision: 0 })));
  const pages = asked.slice(0, 32);
  await statements.listTrades(
    pages.map((page, i) => ({ ...page, before: null, statuses: LISTED[i % LISTED.length] ?? [], limit: 10 })),
  );
  await statements.readAccounts(asked.map(({ customerId }) => customerId));
}

/** The one with many trades is among them when there are more. */
async function customers(count: number): Promise<Customer[]> {
  const numbers = Array.from({ length: count }, (_, i) => (count === 1 ? CUSTOMERS : CUSTOMERS - i * 7));
  if (count > 1) numbers[0] = 1;
  return db.$queryRaw<Customer[]>`
    SELECT md5('c' || i)::uuid::text AS "customerId", i % ${PARTITIONS} AS partition FROM unnest(${numbers}::int[]) AS i`;
}

/** Customers with cash, shares, old trades and one that is open. */
async function fillTables(): Promise<void> {
  await db.$executeRaw`INSERT INTO balances (customer_id, amount, revision)
    SELECT md5('c' || i)::uuid, 10000000, 5 FROM generate_series(1, ${CUSTOMERS}::int) AS i`;
  await db.$executeRaw`INSERT INTO positions (customer_id, stock_ticker, quantity)
    SELECT md5('c' || i)::uuid, ticker, 100 FROM generate_series(1, ${CUSTOMERS}::int) AS i, unnest(ARRAY['AAPL', 'MSFT']) AS ticker`;
  await db.$executeRaw`INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, status, limit_price,
      hold, submitted_at, price, execution_id, executed_at, placed_revision, executed_revision, final_revision)
    SELECT gen_random_uuid(), md5('c' || c)::uuid, c % ${PARTITIONS}, i, 'AAPL', 'buy', 1, 'filled', 100, 100, now(), 100, i, now(), 1, 2, ${OLD_REVISION}::int
    FROM (
      SELECT i, CASE WHEN i > ${CUSTOMERS * OLD_TRADES_OF_EACH}::int THEN 1 ELSE 1 + i % ${CUSTOMERS}::int END AS c
      FROM generate_series(1, ${CUSTOMERS * OLD_TRADES_OF_EACH + OLD_TRADES_OF_ONE}::int) AS i
    ) AS owned`;
  await db.$executeRaw`WITH placed AS (
      INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, placed_revision)
      SELECT gen_random_uuid(), md5('c' || i)::uuid, i % ${PARTITIONS}, 'open', 'AAPL',
        (CASE WHEN i % 2 = 0 THEN 'buy' ELSE 'sell' END)::trade_type, 1, 4 FROM generate_series(1, ${CUSTOMERS}::int) AS i
      RETURNING *
    ) INSERT INTO open_trades (partition, customer_id, seq, trade_id) SELECT partition, customer_id, seq, id FROM placed`;
}
