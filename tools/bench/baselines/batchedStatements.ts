import { openOverPg } from '../overPg.ts';
import { openTradeDatabase, orderOf, proveBooks, type TradeDatabase, tradeOnce } from '../tradeDatabase.ts';
import { best, type Tried } from './best.ts';
import { type BaselineRun, onOwnDatabase, repeatedly } from './on.ts';

interface Batches {
  /** Trades in a statement. */
  rows: number;
  /** Batches under way at once, each with a connection of its own. */
  atOnce: number;
}

export interface BatchedStatements {
  /** Trades placed, marked and filled, with the best batches. */
  perSecond: number;
  batches: Batches;
  tried: Tried<'batches', Batches>[];
}

export interface BatchedOptions {
  customers?: number;
  batches?: readonly Batches[];
}

const BATCHES = [64, 128, 256].flatMap((rows) => [2, 4, 8].map((atOnce) => ({ rows, atOnce })));

/** The broker's three writing statements in full batches, and nothing else on the machine: the limit of this design. */
export function batchedStatements(
  on: BaselineRun,
  { customers = 10_000, batches = BATCHES }: BatchedOptions = {},
): Promise<BatchedStatements> {
  return onOwnDatabase(on, 'batched', async (url) => {
    const database = await openTradeDatabase(url, customers);
    try {
      let filled = 0;
      const { perSecond, setting, tried } = await best(
        on,
        'batches',
        batches.filter(({ rows, atOnce }) => rows * atOnce <= customers),
        async (each, seconds) => {
          const trades = await tradeAll(database, url, each, { ...on, seconds });
          filled += trades.count;
          return trades.count / trades.seconds;
        },
      );
      await proveBooks(database.db, filled);
      return { perSecond, batches: setting, tried };
    } finally {
      await database.close();
    }
  });
}

/** No customer is in two batches at once: they would wait for each other. */
async function tradeAll({ customers, epochs }: TradeDatabase, url: string, { rows, atOnce }: Batches, on: BaselineRun) {
  if (rows * atOnce > customers.length) throw new Error(`${rows * atOnce} trades at once need as many customers`);
  const connections = await Promise.all(Array.from({ length: atOnce }, () => openOverPg(url)));
  try {
    const share = Math.floor(customers.length / atOnce);
    const all = connections.map(({ statements }, i) => {
      const own = customers.slice(i * share, (i + 1) * share);
      let turn = 0;
      return repeatedly(on, async () => {
        const orders = Array.from({ length: rows }, (_, row) => {
          const at = turn * rows + row;
          return orderOf(own[at % own.length] as string, Math.floor(at / own.length));
        });
        turn += 1;
        await tradeOnce(statements, epochs, orders);
      });
    });
    const done = await Promise.all(all);
    return {
      count: rows * done.reduce((sum, { count }) => sum + count, 0),
      seconds: Math.max(...done.map(({ seconds }) => seconds)),
    };
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}
