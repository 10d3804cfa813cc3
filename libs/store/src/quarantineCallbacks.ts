import { createHash } from 'node:crypto';
import type { QuarantinedCallback } from '@stockbroker/trade-flow';
import type { Queries } from './statement.ts';

/** Keeps callbacks for an operator; the same one about the same trade is kept once, however often it comes. */
export async function quarantineCallbacks(db: Queries, callbacks: QuarantinedCallback[]): Promise<void> {
  const digests = callbacks.map(({ tradeId, why, raw }) =>
    createHash('sha256').update(`${tradeId}\0${why}\0`).update(raw).digest(),
  );
  await db.query`/* quarantineCallbacks */
    INSERT INTO callback_quarantine (digest, trade_id, why, raw)
    SELECT digest, trade_id, why, raw
    FROM unnest(${digests}::bytea[], ${callbacks.map((c) => c.tradeId)}::uuid[], ${callbacks.map((c) => c.why)}::text[],
      ${callbacks.map((c) => c.raw)}::bytea[]) WITH ORDINALITY AS c(digest, trade_id, why, raw, rank)
    ORDER BY rank
    ON CONFLICT (digest) DO NOTHING`;
}
