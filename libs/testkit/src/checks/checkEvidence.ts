import { checkAccountReads } from './accountReads.ts';
import { checkAcknowledged } from './acknowledged.ts';
import { checkAnswers } from './answers.ts';
import { checkCanceled } from './canceled.ts';
import { checkEnded } from './ended.ts';
import { checkErrors } from './errors.ts';
import type { Check, Evidence, Violation } from './evidence.ts';
import { checkOrders, checkOutcomes } from './journalOrders.ts';
import { checkCash, checkHolds, checkShares } from './moneyAndShares.ts';
import { checkNegative } from './negative.ts';
import { checkOneAtATime } from './oneAtATime.ts';
import { checkOneTradePerRequest } from './oneTradePerRequest.ts';
import { checkAcknowledgedOrder, checkPlacementOrder } from './placementOrder.ts';
import { checkQuarantine } from './quarantine.ts';
import { checkRevisions } from './revisions.ts';

/** Every promise, in the order in which a reader wants to know which one is broken. */
const CHECKS: Check[] = [
  checkAcknowledged,
  checkOneTradePerRequest,
  checkEnded,
  checkOrders,
  checkOutcomes,
  checkPlacementOrder,
  checkAcknowledgedOrder,
  checkOneAtATime,
  checkCash,
  checkShares,
  checkHolds,
  checkNegative,
  checkAnswers,
  checkAccountReads,
  checkCanceled,
  checkQuarantine,
  checkRevisions,
  checkErrors,
];

/** Proves every promise over the evidence of a system that has come to rest. Empty when all are kept. */
export function checkEvidence(evidence: Evidence): Violation[] {
  return CHECKS.flatMap((check) => check(evidence));
}
