import type { Trade } from '@stockbroker/trading';
import { type Database, Prisma } from '../database.ts';
import { attempt } from '../errors.ts';
import { TRADE_COLUMNS } from '../tradeColumns.ts';

/** Ids from `from` to before `before`; null: to the end. Ids begin with their time, so a day is such a range. */
export interface IdRange {
  from: string;
  before: string | null;
}

/** All trades of a range in order of id, through the primary key, one page in memory. Pages are not of one moment. */
export async function* readTradesOfDay(db: Database, range: IdRange, pageSize = 1_000): AsyncGenerator<Trade> {
  const before = range.before === null ? Prisma.empty : Prisma.sql`AND t.id < ${range.before}::uuid`;
  for (let from = Prisma.sql`t.id >= ${range.from}::uuid`; ; ) {
    const page = await attempt(
      () =>
        db.$queryRaw<
          Trade[]
        >`SELECT ${Prisma.raw(TRADE_COLUMNS.text)} FROM trades t WHERE ${from} ${before} ORDER BY t.id LIMIT ${pageSize}`,
    );
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    from = Prisma.sql`t.id > ${last.id}::uuid`;
  }
}
