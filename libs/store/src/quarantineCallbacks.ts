import { createHash } from 'node:crypto';
import type { QuarantinedCallback } from '@stockbroker/trade-flow';
import { NEW_QUARANTINED } from './insertedColumns.ts';
import type { Queries } from './statement.ts';

/**
 * Keeps callbacks for an operator; the same one about the same trade is kept once, however often it comes. One that was booked is kept
 * once for each reason, also when the exchange words it otherwise the next time.
 *
 * In the order of their digests: two servers that are sent the same ones wait for each other in one order.
 */
export async function quarantineCallbacks(db: Queries, callbacks: QuarantinedCallback[]): Promise<void> {
  const digests = callbacks.map(({ tradeId, why, raw, booked }) =>
    createHash('sha256')
      .update(`${tradeId}\0${why}\0`)
      .update(booked === true ? 'booked' : raw)
      .digest(),
  );
  await db.query`/* quarantineCallbacks */
    INSERT INTO callback_quarantine (${NEW_QUARANTINED})
    SELECT ${NEW_QUARANTINED}
    FROM unnest(${digests}::bytea[], ${callbacks.map((c) => c.tradeId)}::uuid[], ${callbacks.map((c) => c.why)}::text[],
      ${callbacks.map((c) => c.raw)}::bytea[], ${callbacks.map((c) => c.booked === true)}::bool[])
      AS c(${NEW_QUARANTINED})
    ORDER BY digest
    ON CONFLICT (digest) DO NOTHING`;
}
