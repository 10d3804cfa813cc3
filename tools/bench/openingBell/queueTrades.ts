import { randomBytes, randomUUID } from 'node:crypto';
import { openAccounts } from '@stockbroker/store';
import { openDatabase } from '@stockbroker/store/database';
import { type NewTrade, parseUsd, partitionOf, uuidV7 } from '@stockbroker/trading';
import { TICKERS } from '../../demoPlan.ts';
import { openOverPg } from '../overPg.ts';
import { PARTITIONS } from '../tradeDatabase.ts';

/** More than anybody can spend or sell here: no trade is refused. */
const CASH = parseUsd('100000000.00');
const SHARES = 1_000_000;
const ROWS = 1_000;

/** Opens accounts, and stores trades of theirs that wait for the open, as gateways would: everybody's first ones, then the second. */
export async function queueTrades(databaseUrl: string, customers: number, tradesOfEach: number): Promise<void> {
  const db = openDatabase({ url: databaseUrl, poolSize: 1, statementTimeoutMs: 60_000, onConnectionError: () => {} });
  const overPg = await openOverPg(databaseUrl);
  try {
    const owners = Array.from({ length: customers }, (_, i) => {
      return { customerId: randomUUID(), stockTicker: TICKERS[i % TICKERS.length] as string };
    });
    for (const some of batches(owners)) {
      const openings = some.map(({ customerId, stockTicker }) => ({ customerId, cash: CASH, shares: { [stockTicker]: SHARES } }));
      await openAccounts(db, openings);
    }
    for (let turn = 0; turn < tradesOfEach; turn += 1) {
      for (const some of batches(owners)) {
        const results = await overPg.statements.insertTrades(some.map((owner) => waiting(owner, turn)));
        if (results.some(({ kind }) => kind !== 'inserted')) throw new Error('a trade was not placed');
      }
    }
  } finally {
    await overPg.close();
    await db.$disconnect();
  }
}

function waiting({ customerId, stockTicker }: { customerId: string; stockTicker: string }, turn: number): NewTrade {
  return {
    id: uuidV7(Date.now(), randomBytes(10)),
    customerId,
    partition: partitionOf(customerId, PARTITIONS),
    clientOrderId: randomUUID(),
    stockTicker,
    type: turn % 2 === 0 ? 'buy' : 'sell',
    quantity: 1,
    queueForOpen: true,
  };
}

function batches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / ROWS) }, (_, i) => all.slice(i * ROWS, (i + 1) * ROWS));
}
