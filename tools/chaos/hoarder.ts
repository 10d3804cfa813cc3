import { TradeStatus } from '@stockbroker/rpc/stockbroker';
import { withClient } from '@stockbroker/testkit/processes';
import { partitionOf } from '@stockbroker/trading';
import type { TradingClient } from '../tradeClient.ts';

/** Somebody's program has placed a great many trades. Nothing is proven about them: the checks leave this customer out. */
export const HOARDER = 'ffffffff-0000-4000-8000-000000000001';
const TRADES = 100_000;
const TIMEOUT_MS = 5_000;
/** Those that no trade of this customer has are the hardest to look for. */
const LISTED = [[], [TradeStatus.TRADE_STATUS_FILLED], [TradeStatus.TRADE_STATUS_EXECUTED], [TradeStatus.TRADE_STATUS_REJECTED]];

/** Trades that ended long ago, straight into the table. */
export async function openHoarder(databaseUrl: string, partitions: number): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    await client.query('INSERT INTO balances (customer_id, amount) VALUES ($1, 0) ON CONFLICT DO NOTHING', [HOARDER]);
    await client.query(
      `INSERT INTO trades (id, customer_id, partition, client_order_id, stock_ticker, type, quantity, status, reject_code, reason)
       SELECT gen_random_uuid(), $1, $2, 'old-' || i, 'AAPL', 'buy', 1, 'rejected', 'NO_QUOTE', 'long ago'
       FROM generate_series(1, $3::int) AS i`,
      [HOARDER, partitionOf(HOARDER, partitions), TRADES],
    );
  });
}

/** Its program: it asks a gateway for one page after the other, and begins again. */
export class Hoarder {
  readonly #clients: TradingClient[];
  readonly #token: string;
  readonly #tokens = new Map<number, string>();

  constructor(clients: TradingClient[], token: string) {
    this.#clients = clients;
    this.#token = token;
  }

  /** The next page of one of its loops. */
  async listPage(loop: number): Promise<void> {
    const client = this.#clients[loop % this.#clients.length];
    const statuses = LISTED[loop % LISTED.length] ?? [];
    const headers = { authorization: `Bearer ${this.#token}` };
    const request = { pageSize: 500, statuses, pageToken: this.#tokens.get(loop) ?? '' };
    const page = await client?.listTrades(request, { timeoutMs: TIMEOUT_MS, headers });
    this.#tokens.set(loop, page?.nextPageToken ?? '');
  }
}
