import { setTimeout as delay } from 'node:timers/promises';
import { OrderState, Side } from '@stockbroker/rpc/exchange';
import { TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker, Customer } from '@stockbroker/testkit';
import { parseUsd, partitionOf } from '@stockbroker/trading';
import pg from 'pg';

/** What one customer, row or caller does while the others trade. */
export interface Disturbance {
  name: string;
  /** Begins it. @returns what ends it */
  begin: (broker: Broker) => Promise<() => Promise<void>>;
}

const PARTITIONS = 100;
/** As often as a customer may call for long, by the gateway's defaults or less. */
const CALLS_PER_SECOND = 20;
const FORGED_PER_SECOND = 200;
/** Nobody else trades it here. */
const TICKER = 'AAPL';

/** @param trades that a customer with many has */
export function disturbances(trades: number): Disturbance[] {
  return [
    { name: 'one balance locked', begin: lockedBalance },
    { name: 'one customer listing many old trades', begin: (broker) => listing(broker, trades) },
    { name: 'one customer with many queued trades', begin: (broker) => queued(broker, trades) },
    { name: 'refused rows', begin: refusedRows },
    { name: 'forged tokens', begin: forgedTokens },
  ];
}

/** As an operator's open transaction has it; the customer goes on placing trades. */
async function lockedBalance(broker: Broker): Promise<() => Promise<void>> {
  const customer = await rich(broker);
  const client = new pg.Client(broker.databaseUrl);
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM balances WHERE customer_id = $1 FOR UPDATE', [customer.id]);
  const stop = repeatedly(CALLS_PER_SECOND, () => customer.buys(1, TICKER));
  return async () => {
    await client.query('ROLLBACK');
    await client.end();
    await stop();
  };
}

async function listing(broker: Broker, trades: number): Promise<() => Promise<void>> {
  const customer = await rich(broker);
  await broker.db.$executeRaw`
    INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, status, reject_code, reason)
    SELECT gen_random_uuid(), ${customer.id}::uuid, ${partitionOf(customer.id, PARTITIONS)}, i, ${TICKER}, 'buy', 1, 'rejected', 'NO_QUOTE', 'old'
    FROM generate_series(1, ${trades}::int) AS i`;
  const statuses = [TradeStatus.TRADE_STATUS_FILLED];
  return repeatedly(CALLS_PER_SECOND, () => customer.calls().listTrades({ statuses }));
}

/** Far more than are allowed, as an import would leave them; they are executed one after the other meanwhile. */
async function queued(broker: Broker, trades: number): Promise<() => Promise<void>> {
  const customer = await rich(broker);
  await broker.db.$executeRaw`
    WITH trade AS (
      INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, placed_revision)
      SELECT gen_random_uuid(), ${customer.id}::uuid, ${partitionOf(customer.id, PARTITIONS)}, i, ${TICKER}, 'buy', 1, i
      FROM generate_series(1, ${trades}::int) AS i RETURNING *
    )
    INSERT INTO open_trades (partition, customer_id, seq, trade_id) SELECT partition, customer_id, seq, id FROM trade`;
  return repeatedly(CALLS_PER_SECOND, () => customer.calls().listTrades({}));
}

/** Fills with a price that no column holds, of trades that there are not. */
async function refusedRows(broker: Broker): Promise<() => Promise<void>> {
  return repeatedly(CALLS_PER_SECOND, () =>
    broker.exchange.reports(broker.system.callbackUrl, {
      clientOrderId: crypto.randomUUID(),
      executionId: 'beyond',
      ticker: TICKER,
      side: Side.SIDE_BUY,
      quantity: 1,
      state: OrderState.ORDER_STATE_FILLED,
      price: `${'9'.repeat(20)}.0000`,
      executedAt: new Date(),
    }),
  );
}

async function forgedTokens(broker: Broker): Promise<() => Promise<void>> {
  const customer = await rich(broker);
  const call = () => {
    const forged = `${customer.token.slice(0, -20)}${crypto.randomUUID().slice(0, 20).replaceAll('-', '_')}`;
    return customer.calls().getAccount({}, { headers: { authorization: `Bearer ${forged}` } });
  };
  return repeatedly(FORGED_PER_SECOND, call);
}

function rich(broker: Broker): Promise<Customer> {
  return broker.customer({ cash: parseUsd('1000000.00') });
}

/** Whatever comes of each. Those that are slow are not waited for, but no more than a second's are under way. */
function repeatedly(perSecond: number, act: () => Promise<unknown>): () => Promise<void> {
  let isOver = false;
  const running = new Set<Promise<unknown>>();
  const run = async () => {
    for (; !isOver; await delay(1_000 / perSecond)) {
      if (running.size >= perSecond) continue;
      const acting: Promise<unknown> = act()
        .catch(() => {})
        .finally(() => running.delete(acting));
      running.add(acting);
    }
  };
  const stopped = run();
  return async () => {
    isOver = true;
    await stopped;
    await Promise.all(running);
  };
}
