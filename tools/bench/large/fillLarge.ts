import { randomUUID } from 'node:crypto';
import { migrate } from '@stockbroker/store/migrate';
import { partitionOf } from '@stockbroker/trading';
import type pg from 'pg';
import { withClient } from '../baselines/on.ts';
import { PARTITIONS } from '../tradeDatabase.ts';
import { rebuilding } from './rebuilding.ts';

export interface LargeOptions {
  /** Of an empty database. */
  databaseUrl: string;
  /** Accounts, each with cash and shares of one stock. */
  customers: number;
  /** Old trades of each customer: bought and sold in turns, all filled. */
  tradesOfEach: number;
  onEvent?: (line: string) => void;
}

export interface Filled {
  /** Of each step. */
  seconds: Record<string, number>;
}

const CUSTOMERS_AT_ONCE = 50_000;
/** Sessions that insert at once, each its own customers. */
const SESSIONS = 2;
/** Building an index in memory, and not taking turns with the disk for each statement. */
const SESSION = "SET maintenance_work_mem = '512MB'; SET work_mem = '128MB'; SET synchronous_commit = off";
/** Days in which the old trades were placed. */
const DAYS = 400;

/**
 * Migrates a database and fills it with customers who have traded before: as if each of their trades had gone its way, with its
 * revisions, and with account_entries that prove their cash and shares. Any broker can go on with it.
 *
 * The server makes the rows by itself; only the customers' partitions come from here. Indexes are dropped and built again at the
 * end, from the server's own description of them: entering 10 million random keys one by one would take most of an hour.
 */
export async function fillLarge({ databaseUrl, customers, tradesOfEach, onEvent = () => {} }: LargeOptions): Promise<Filled> {
  const seconds: Record<string, number> = {};
  const step = async (name: string, run: () => Promise<unknown>) => {
    const startedMs = performance.now();
    await run();
    const took = (performance.now() - startedMs) / 1_000;
    seconds[name] = took;
    onEvent(`${name}: ${took.toFixed(1)} s`);
  };
  await step('migrate', () => migrate(databaseUrl, PARTITIONS));
  const range = (session: number) => [session, session + 1].map((n) => Math.floor((n * customers) / SESSIONS));
  const parallel = (statement: string) => () =>
    inSessions(databaseUrl, (client, session) => client.query(statement, range(session)));
  await withClient(databaseUrl, async (client) => {
    await client.query(SESSION);
    await client.query(`CREATE UNLOGGED TABLE old_customer (n int, id uuid, partition smallint)`);
    await rebuilding(client, ['balances', 'positions', 'account_entries', 'trades', 'executions'], step, async () => {
      await step('customers', () => inSessions(databaseUrl, (each, session) => makeCustomers(each, range(session))));
      await client.query('CREATE INDEX ON old_customer (n); ANALYZE old_customer');
      await step('balances', parallel(balances(tradesOfEach)));
      await step('positions', parallel(positions(tradesOfEach)));
      await step('account_entries', parallel(ENTRIES));
      await step('trades', () =>
        inSessions(databaseUrl, async (each, session) => {
          for (let k = 0; k < tradesOfEach; k += 1) await each.query(trades(k, tradesOfEach), range(session));
        }),
      );
      await step('executions', () =>
        client.query('INSERT INTO executions (trade_id, execution_id) SELECT id, execution_id FROM trades'),
      );
    });
    await client.query('DROP TABLE old_customer');
    await step('vacuum', () => client.query('VACUUM (ANALYZE)'));
    await step('checkpoint', () => client.query('CHECKPOINT'));
  });
  return { seconds };
}

async function inSessions(url: string, run: (client: pg.Client, session: number) => Promise<unknown>): Promise<void> {
  const all = Array.from({ length: SESSIONS }, (_, session) =>
    withClient(url, async (client) => {
      await client.query(SESSION);
      await run(client, session);
    }),
  );
  await Promise.all(all);
}

/** The partition of a customer is computed by our own code, as the gateway does. */
async function makeCustomers(client: pg.Client, [from = 0, to = 0]: number[]): Promise<void> {
  for (let at = from; at < to; at += CUSTOMERS_AT_ONCE) {
    const ids = Array.from({ length: Math.min(CUSTOMERS_AT_ONCE, to - at) }, () => randomUUID());
    await client.query(
      'INSERT INTO old_customer SELECT $1 + rank - 1, id, partition FROM unnest($2::uuid[], $3::smallint[]) WITH ORDINALITY AS c(id, partition, rank)',
      [at, ids, ids.map((id) => partitionOf(id, PARTITIONS))],
    );
  }
}

// Customer n trades this stock, so many shares at a time, and always at these prices, in ten-thousandths of a dollar.
const TICKERS = ['AAPL', 'AMZN', 'BA', 'COST', 'DIS', 'HD', 'JPM', 'KO'];
const TICKER = `(ARRAY['${TICKERS.join("', '")}'])[1 + n % ${TICKERS.length}]`;
const QUANTITY = '(1 + n % 9)';
const PRICE = '(1500000 + n % 1000 * 100)';
const LIMIT_PRICE = `(${PRICE} * 105 / 100)`;
const CASH = 1_000_000_000_000n;
const SHARES = 1_000_000;
const SOME = 'FROM old_customer WHERE n >= $1 AND n < $2 ORDER BY n';

/** Shares that a customer has bought and not sold again: one buy's, when the number of trades is odd. */
const kept = (tradesOfEach: number) => `${tradesOfEach % 2} * ${QUANTITY}`;

const balances = (tradesOfEach: number) => `INSERT INTO balances (customer_id, amount, revision, last_modified)
  SELECT id, ${CASH} - ${kept(tradesOfEach)}::bigint * ${PRICE}, ${3 * tradesOfEach}, now() ${SOME}`;

const positions = (tradesOfEach: number) => `INSERT INTO positions (customer_id, stock_ticker, quantity)
  SELECT id, ${TICKER}, ${SHARES} + ${kept(tradesOfEach)} ${SOME}`;

const ENTRIES = `INSERT INTO account_entries (customer_id, stock_ticker, amount, why)
  SELECT id, stock_ticker, amount, 'opening' FROM (SELECT id, n FROM old_customer WHERE n >= $1 AND n < $2) AS c
  CROSS JOIN LATERAL (VALUES (NULL, ${CASH}), (${TICKER}, ${SHARES})) AS e(stock_ticker, amount) ORDER BY n`;

/** Trade k of each customer: all first ones, then all second ones, as seq and the ids, which are in the order of time, have to be. */
const trades = (k: number, tradesOfEach: number) => {
  const placedAt = `now() - interval '${DAYS} days' * (1 - (${k} + (n - $1::int)::float / ($2::int - $1::int)) / ${tradesOfEach})`;
  return `INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, status, limit_price, hold, price,
      execution_id, created_at, submitted_at, executed_at, placed_revision, executed_revision, final_revision)
    SELECT uuidv7(placed_at - now()), id, partition, gen_random_uuid()::text, ${TICKER}, '${k % 2 === 0 ? 'buy' : 'sell'}', ${QUANTITY},
      'filled', ${LIMIT_PRICE}, ${k % 2 === 0 ? `${QUANTITY}::bigint * ${LIMIT_PRICE}` : '0'}, ${PRICE}, 'exchange-${k}-' || n,
      placed_at, placed_at + interval '5 ms', placed_at + interval '60 ms', ${3 * k + 1}, ${3 * k + 2}, ${3 * k + 3}
    FROM (SELECT n, id, partition, ${placedAt} AS placed_at ${SOME}) AS c`;
};
