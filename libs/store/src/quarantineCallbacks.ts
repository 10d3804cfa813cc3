import { createHash } from 'node:crypto';
import type { QuarantinedCallback } from '@stockbroker/trade-flow';
import type { Database } from './database.ts';

/** Keeps callbacks for an operator; one that is repeated is kept once. */
export async function quarantineCallbacks(db: Database, callbacks: QuarantinedCallback[]): Promise<void> {
  await db.callbackQuarantine.createMany({
    data: callbacks.map(({ tradeId, why, raw }) => ({
      tradeId,
      why,
      raw: Uint8Array.from(raw),
      digest: Uint8Array.from(createHash('sha256').update(why).update('\0').update(raw).digest()),
    })),
    skipDuplicates: true,
  });
}
