import type { Database } from '../database.ts';
import { attempt } from '../errors.ts';

/** A callback kept for operators, as it is listed. */
export interface QuarantineRow {
  id: bigint;
  tradeId: string | null;
  why: string;
  /** It was applied all the same; otherwise it changed nothing. */
  booked: boolean;
  receivedAt: Date;
  resolvedAt: Date | null;
  resolution: string | null;
}

const LISTED = {
  id: true,
  tradeId: true,
  why: true,
  booked: true,
  receivedAt: true,
  resolvedAt: true,
  resolution: true,
} as const;

/** The callbacks kept for operators, oldest first, without their bodies. */
export function listQuarantine(db: Database, page: { all: boolean; after: bigint; limit: number }): Promise<QuarantineRow[]> {
  return attempt(() =>
    db.callbackQuarantine.findMany({
      where: { id: { gt: page.after }, ...(page.all ? {} : { resolvedAt: null }) },
      orderBy: { id: 'asc' },
      take: page.limit,
      select: LISTED,
    }),
  );
}

export function countUnresolved(db: Database): Promise<number> {
  return attempt(() => db.callbackQuarantine.count({ where: { resolvedAt: null } }));
}

/** One of them, with its body as it came. */
export function readQuarantined(db: Database, id: bigint): Promise<(QuarantineRow & { raw: Uint8Array }) | null> {
  return attempt(() => db.callbackQuarantine.findUnique({ where: { id }, select: { ...LISTED, raw: true } }));
}
