import type { NewTrade, TradeType } from '@stockbroker/trading';
import { partitionOf } from '@stockbroker/trading';
import { withClient } from '../baselines/on.ts';
import { orderOf, PARTITIONS } from '../tradeDatabase.ts';

/** A customer that `fillLarge` has made. */
export interface OldCustomer {
  customerId: string;
  partition: number;
  /** Of the stock that it owns shares of. */
  stockTicker: string;
}

/** So many of them, drawn at random: no two need stand on one page. @throws when there are fewer */
export function oldCustomers(databaseUrl: string, count: number): Promise<OldCustomer[]> {
  return withClient(databaseUrl, async (client) => {
    // Probes of an index: reading all of them to draw some would fill the server's memory with what nobody trades.
    const { rows } = await client.query<{ customerId: string; stockTicker: string }>(
      `WITH drawn AS MATERIALIZED (SELECT gen_random_uuid() AS id FROM generate_series(1, 3 * $1::int + 100))
       SELECT DISTINCT p.customer_id AS "customerId", p.stock_ticker AS "stockTicker" FROM drawn CROSS JOIN LATERAL (
         SELECT customer_id, stock_ticker FROM positions WHERE customer_id >= drawn.id ORDER BY customer_id LIMIT 1) AS p LIMIT $1`,
      [count],
    );
    if (rows.length < count) throw new Error(`${count} customers were asked for, and ${rows.length} found`);
    return rows.map((row) => ({ ...row, partition: partitionOf(row.customerId, PARTITIONS) }));
  });
}

export function orderOfOldCustomer({ customerId, stockTicker }: OldCustomer, type: TradeType): NewTrade {
  return { ...orderOf(customerId, 0), stockTicker, type };
}
