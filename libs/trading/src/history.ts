import type { Trade } from './trade.ts';

type Revisions = Pick<Trade, 'placedRevision' | 'executedRevision' | 'finalRevision'>;

/** A trade as it was from one of the customer's revisions on. */
export interface TradeVersion {
  revision: number;
  trade: Trade;
}

/**
 * Every state that a trade has been in, oldest first. Those of before there were revisions are left out, and those before it was last
 * marked, or placed again: these are told as changes of the account alone.
 */
export function versionsOf(trade: Trade): TradeVersion[] {
  const { placedRevision, executedRevision, finalRevision } = trade;
  const versions: TradeVersion[] = [];
  if (placedRevision > 0) versions.push({ revision: placedRevision, trade: asPlaced(trade) });
  if (executedRevision !== null)
    versions.push({ revision: executedRevision, trade: wasSentBack(trade) ? asSentBack(trade) : asExecuted(trade) });
  if (finalRevision !== null) versions.push({ revision: finalRevision, trade });
  return versions;
}

/** The customer's revision at the trade's last change. */
export function revisionOf({ placedRevision, executedRevision, finalRevision }: Revisions): number {
  return finalRevision ?? executedRevision ?? placedRevision;
}

/** Whether it was placed again at its executedRevision: also one that was refused or canceled since, which no exchange has ended. */
function wasSentBack({ status, executedAt }: Trade): boolean {
  return status === 'placed' || (status === 'rejected' && executedAt === null);
}

function asSentBack(trade: Trade): Trade {
  return trade.status === 'placed' ? trade : { ...trade, ...NOT_ENDED, status: 'placed' };
}

function asExecuted(trade: Trade): Trade {
  if (trade.status === 'executed') return trade;
  return { ...trade, ...NOT_ENDED, status: 'executed' };
}

function asPlaced(trade: Trade): Trade {
  if (trade.status === 'placed' && trade.executedRevision === null) return trade;
  return { ...trade, ...NOT_ENDED, status: 'placed', limitPrice: null, hold: null, submittedAt: null, executedRevision: null };
}

const NOT_ENDED = {
  rejectCode: null,
  reason: null,
  rejectNeeded: null,
  rejectAvailable: null,
  price: null,
  executionId: null,
  executedAt: null,
  endedAt: null,
  finalRevision: null,
};
