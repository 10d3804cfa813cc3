import { withClient } from '../baselines/on.ts';

/** What a stored trade takes on the disk, bytes. */
export interface TradeSize {
  trades: number;
  heap: number;
  /** By name. */
  indexes: Record<string, number>;
  all: number;
}

/** Of a database that was vacuumed: how many trades there are is what the server has counted then. */
export function tradeSize(databaseUrl: string): Promise<TradeSize> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ name: string; bytes: string; rows: number }>(
      `SELECT relname AS name, pg_relation_size(oid) AS bytes, reltuples AS rows FROM pg_class
       WHERE oid = 'trades'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'trades'::regclass) ORDER BY relname`,
    );
    const trades = rows.find(({ name }) => name === 'trades')?.rows ?? 0;
    if (trades <= 0) throw new Error('nobody has counted the trades: VACUUM first');
    const each = Object.fromEntries(rows.map(({ name, bytes }) => [name, Number(bytes) / trades]));
    const { trades: heap = 0, ...indexes } = each;
    return { trades, heap, indexes, all: Object.values(each).reduce((sum, bytes) => sum + bytes, 0) };
  });
}
