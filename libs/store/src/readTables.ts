import type { Balance, Position, Trade } from '@stockbroker/trading';
import type { Database } from './database.ts';

/** What the tables hold in the end, as they are: nothing is summed up or judged here. */
export interface Tables {
  /** In the order placed. */
  trades: Trade[];
  balances: Omit<Balance, 'lastModified'>[];
  positions: Position[];
  /** Ids of the rows of open_trades. */
  openTradeIds: string[];
  quarantine: QuarantineRow[];
}

/** A callback kept for operators. */
export interface QuarantineRow {
  tradeId: string | null;
  why: string;
  /** As it came, read as UTF-8. */
  raw: string;
  /** It was applied all the same. */
  booked: boolean;
}

/** Reads all tables, for proofs over a system that stands still: they are read one after the other. */
export async function readTables(db: Database): Promise<Tables> {
  const quarantine = await db.callbackQuarantine.findMany({ orderBy: { id: 'asc' } });
  return {
    trades: await Array.fromAsync(readAllTrades(db)),
    balances: await db.balance.findMany({ omit: { lastModified: true } }),
    positions: await db.position.findMany(),
    openTradeIds: (await db.openTrade.findMany({ select: { tradeId: true } })).map(({ tradeId }) => tradeId),
    quarantine: quarantine.map(({ tradeId, why, raw, booked }) => ({
      tradeId,
      why,
      raw: Buffer.from(raw).toString(),
      booked,
    })),
  };
}

/** All trades in the order placed, a page at a time. */
export async function* readAllTrades(db: Database, pageSize = 2_000): AsyncGenerator<Trade> {
  for (let after = -1n; ; ) {
    const page: Trade[] = await db.trade.findMany({ where: { seq: { gt: after } }, orderBy: { seq: 'asc' }, take: pageSize });
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}
