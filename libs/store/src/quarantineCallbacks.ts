import { createHash } from 'node:crypto';
import type { QuarantinedCallback } from '@stockbroker/trade-flow';
import type { Database } from './database.ts';

/** Keeps callbacks for an operator; the same one about the same trade is kept once, however often it comes. */
export async function quarantineCallbacks(db: Database, callbacks: QuarantinedCallback[]): Promise<void> {
  await db.callbackQuarantine.createMany({
    data: callbacks.map(({ tradeId, why, raw }) => ({
      tradeId,
      why,
      raw: Uint8Array.from(raw),
      digest: Uint8Array.from(createHash('sha256').update(`${tradeId}\0${why}\0`).update(raw).digest()),
    })),
    skipDuplicates: true,
  });
}
