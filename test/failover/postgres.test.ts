import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Status } from '@stockbroker/rpc';
import { type Trade, TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
import { migrate } from '@stockbroker/store/migrate';
import { type Broker, type Customer, eventually, type PostgresServer, startBroker, startPostgres } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { closeBroker, expectExactBooks } from '../support/broker.ts';
import { placeSurely } from '../support/placeSurely.ts';
import { expectAllFilledInOrder, placeQueues } from '../support/queues.ts';
import { madeUpFill, unusedTradeId } from '../support/reports.ts';

/** A server of this file’s own, durable as in production, because it is killed here. */
let folder: string;
let postgres: PostgresServer;
let broker: Broker;
let customers: Customer[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stockbroker-postgres-'));
  chmodSync(folder, 0o755);
  postgres = await startPostgres({ dataDir: join(folder, 'data') });
  await migrate(postgres.url, 100);
  broker = await startBroker({
    bundles: inject('bundles'),
    databaseUrl: postgres.url,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { worker: { SWEEP_MS: '500', ASK_AFTER_MS: '1000' }, gateway: { GATEWAY_PATIENCE_MS: '60000' } },
  });
  customers = await broker.customers(8, { cash: usd('10000.00') });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(async () => {
  await closeBroker(broker);
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function restartPostgres(): Promise<void> {
  postgres = await startPostgres({ dataDir: join(folder, 'data'), port: postgres.port });
}

test('PostgreSQL down: calls answer UNAVAILABLE with RetryInfo; the retry with the same client_order_id succeeds once it is back', async () => {
  const queues = await placeQueues(broker, customers);
  await postgres.kill();
  const [alice] = customers;
  if (alice === undefined) throw new Error('there are no customers');
  const order = { type: TradeType.TRADE_TYPE_BUY, quantity: 1, stockTicker: 'AAPL', clientOrderId: 'patience' };
  await expect(alice.calls().placeTrade(order, { timeoutMs: 5_000 })).rejects.toMatchObject({
    code: Status.UNAVAILABLE,
    message: 'not known to be done: try again with the same client_order_id',
    details: { info: { reason: 'DATABASE_UNAVAILABLE' }, retryAfterMs: 500 },
  });
  const reads = [alice.calls().getAccount({}, { timeoutMs: 5_000 }), alice.calls().listTrades({}, { timeoutMs: 5_000 })];
  for (const read of await Promise.allSettled(reads)) expect(read).toMatchObject({ reason: { code: Status.UNAVAILABLE } });
  await restartPostgres();
  const trade = await placeSurely(alice, 'patience');
  expect(await placeSurely(alice, 'patience')).toMatchObject({ orderId: trade.orderId });
  await expectAllFilledInOrder(broker, queues);
});

test('calls made while PostgreSQL restarts wait for it, and succeed within their deadline', async () => {
  const [alice] = customers;
  if (alice === undefined) throw new Error('there are no customers');
  await postgres.kill();
  const waiting = [alice.buys(1, 'AAPL', {}), alice.account()];
  await restartPostgres();
  const [placed] = await Promise.all(waiting);
  expect(placed).toMatchObject({ status: TradeStatus.TRADE_STATUS_PLACED });
});

test('PostgreSQL killed in the middle of many trades: nothing acknowledged is lost, nothing is done twice', async () => {
  await broker.exchange.whileBehaving({ manual: false, latencyMaxMs: 5 }, async () => {
    const placing = customers.map(async (customer) => {
      const trades: Trade[] = [];
      for (let i = 0; i < 25; i += 1) trades.push(await placeSurely(customer, `during-${i}`));
      return trades;
    });
    for (let i = 0; i < 2; i += 1) {
      const before = await broker.db.trade.count({});
      await eventually(
        () => broker.db.trade.count({}),
        (count) => count > before + 20,
        { what: 'twenty more trades' },
      );
      await postgres.kill();
      await restartPostgres();
      await eventually(
        () => broker.db.trade.count({}).catch(() => -1),
        (count) => count >= 0,
        { what: 'the database' },
      );
    }
    const placed = (await Promise.all(placing)).flat();
    await broker.allEnded();
    const stored = await broker.db.trade.findMany({ where: { clientOrderId: { startsWith: 'during-' } }, select: { id: true } });
    expect(stored.map(({ id }) => id).toSorted()).toEqual(placed.map(({ orderId }) => orderId).toSorted());
  });
});

test('callbacks that come while PostgreSQL is down get no success, and are sent again until they are stored', async () => {
  const queues = await placeQueues(broker, customers);
  await postgres.kill();
  const { http = '', grpc = '' } = broker.callback(0).endpoints;
  const report = madeUpFill(unusedTradeId());
  expect(await broker.exchange.reports(http, report)).toEqual({ delivered: false, answer: 'HTTP 503' });
  expect(await broker.exchange.reports(grpc, report)).toMatchObject({
    delivered: false,
    answer: expect.stringContaining('UNAVAILABLE'),
  });
  const price = '10.0000';
  await Promise.all(queues.map(([first]) => broker.exchange.completes(first, { price })));
  await restartPostgres();
  await expectAllFilledInOrder(broker, queues);
});

test('PostgreSQL only reads: no process is ready, each says why, reading goes on; then all are ready again by themselves', async () => {
  const setReadOnly = async (value: 'on' | 'off') => {
    await broker.db.$executeRawUnsafe(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
    await broker.db.$queryRaw`SELECT pg_reload_conf()`;
  };
  const { gateways, workers, callbacks } = broker.system;
  const ask = async (path: string) => {
    const admins = [...gateways, ...workers, ...callbacks].map(({ endpoints }) => `${endpoints.admin}${path}`);
    return Promise.all(admins.map(async (url) => (await fetch(url)).text()));
  };
  const sentence = 'the database only reads: default_transaction_read_only is on';
  const none = (answers: string[]) => answers.length === 0;
  try {
    await setReadOnly('on');
    const silent = async () => (await ask('/readyz')).filter((answer) => !answer.includes(sentence));
    await eventually(silent, none, { what: 'what the processes say that do not name the reason' });
    expect((await ask('/metrics')).filter((metrics) => !/^app_not_ready\{.*what="database".*\} 1$/m.test(metrics))).toEqual([]);
    expect(await customers[0]?.cash()).toBeDefined();
  } finally {
    await setReadOnly('off');
  }
  const notReady = async () => (await ask('/readyz')).filter((answer) => !answer.includes('"ready"'));
  await eventually(notReady, none, { what: 'what the processes say that are not ready' });
});
