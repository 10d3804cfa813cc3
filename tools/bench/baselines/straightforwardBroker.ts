import { openOverPg } from '../overPg.ts';
import { openTradeDatabase, orderOf, proveBooks, type TradeDatabase, tradeOnce } from '../tradeDatabase.ts';
import { best, type Tried } from './best.ts';
import { type BaselineRun, onOwnDatabase, repeatedly } from './on.ts';

export interface StraightforwardBroker {
  /** Trades placed, marked and filled, with the best number of clients. */
  perSecond: number;
  clients: number;
  tried: Tried<'clients'>[];
}

export interface BrokerOptions {
  customers?: number;
  clients?: readonly number[];
}

/**
 * The broker as one would write it at first: one trade at a time, three statements and three commits, over bare pg. The statements are
 * the broker's own, prepared, with one row each; there is no gRPC, no NATS, no exchange, no lease and no lane.
 */
export function straightforwardBroker(
  on: BaselineRun,
  { customers = 10_000, clients = [4, 8, 16, 32] }: BrokerOptions = {},
): Promise<StraightforwardBroker> {
  return onOwnDatabase(on, 'straightforward', async (url) => {
    const database = await openTradeDatabase(url, customers);
    try {
      let filled = 0;
      const { perSecond, setting, tried } = await best(on, 'clients', clients, async (count, seconds) => {
        const trades = await tradeAll(database, url, count, { ...on, seconds });
        filled += trades.count;
        return trades.count / trades.seconds;
      });
      await proveBooks(database.db, filled);
      return { perSecond, clients: setting, tried };
    } finally {
      await database.close();
    }
  });
}

/** Each client has a connection and customers of its own. */
async function tradeAll({ customers, epochs }: TradeDatabase, url: string, clients: number, on: BaselineRun) {
  const connections = await Promise.all(Array.from({ length: clients }, () => openOverPg(url)));
  try {
    const all = connections.map(({ statements }, client) => {
      let turn = 0;
      return repeatedly(on, async () => {
        const at = turn * clients + client;
        turn += 1;
        const customerId = customers[at % customers.length] as string;
        await tradeOnce(statements, epochs, [orderOf(customerId, Math.floor(at / customers.length))]);
      });
    });
    const done = await Promise.all(all);
    return { count: done.reduce((sum, { count }) => sum + count, 0), seconds: Math.max(...done.map(({ seconds }) => seconds)) };
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}
