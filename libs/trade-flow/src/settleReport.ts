import {
  type BrokenRule,
  doubtsAbout,
  isFinal,
  isOfEarlierAttempt,
  isSameOutcome,
  type OrderReport,
  REFUSED_FIGURES,
  type Trade,
  whySetAside,
} from '@stockbroker/trading';
import { type Clock, type Observe, type Settled, type SettlingStore, StoreRefusedError, type Wakeups } from './ports.ts';

export interface SettlePorts {
  clock: Pick<Clock, 'now'>;
  store: SettlingStore;
  wakeups: Pick<Wakeups, 'tradeSettled'>;
  observe: Observe;
}

/** What became of a report. */
export type Settlement = 'settled' | 'sent-back' | 'duplicate' | 'quarantined';

/**
 * Ends a trade as the exchange reports it, exactly once; or has it wait for the next session, when the exchange was closed and that is its
 * customer's wish. When this resolves, the report is dealt with durably: settled, known
 * already, or kept for an operator; the exchange need not send it again. A fill that breaks a rule is settled and kept.
 *
 * @param raw the report as it came
 * @throws StoreUnavailableError: the report must be sent again
 */
export async function settleReport(ports: SettlePorts, report: OrderReport, raw: Uint8Array): Promise<Settlement> {
  const settled = await settleUnlessRefused(ports, report);
  if (settled === 'refused') {
    await quarantineReport(ports, report.tradeId, REFUSED_FIGURES.why, raw);
    return 'quarantined';
  }
  if (settled !== null) {
    const became = settled.trade.status === 'placed' ? 'sent-back' : 'settled';
    ports.observe({ kind: became, trade: settled.trade });
    if (settled.overdrawn) ports.observe({ kind: 'overdrawn', trade: settled.trade });
    ports.wakeups.tradeSettled(settled.trade);
    const doubts = doubtsAbout(report, settled.trade, ports.clock.now());
    for (const { why } of doubts) ports.observe({ kind: 'suspect-fill', trade: settled.trade, why });
    await keepDoubts(ports, doubts, settled.trade, raw);
    return became;
  }
  const trade = await ports.store.readTrade(report.tradeId);
  const isKnown = trade !== null && isFinal(trade.status) && isSameOutcome(report, trade);
  if (trade !== null && (isKnown || isOfEarlierAttempt(report, trade))) {
    ports.observe({ kind: 'duplicate', trade });
    // Whoever settled it may have ended before it kept these. What was in the future then may not be now.
    await keepDoubts(ports, doubtsAbout(report, trade, Number.POSITIVE_INFINITY), trade, raw);
    return 'duplicate';
  }
  await quarantineReport(ports, report.tradeId, whySetAside(report, trade).why, raw);
  return 'quarantined';
}

async function settleUnlessRefused({ store }: SettlePorts, report: OrderReport): Promise<Settled | 'refused' | null> {
  try {
    return await store.settleTrade(report);
  } catch (error) {
    if (error instanceof StoreRefusedError) return 'refused';
    throw error;
  }
}

/** Keeps a callback that cannot be applied, so that the exchange may stop sending it and an operator sees it. */
export async function quarantineReport(
  ports: Pick<SettlePorts, 'store' | 'observe'>,
  tradeId: string | null,
  why: string,
  raw: Uint8Array,
): Promise<void> {
  await ports.store.quarantineCallback({ tradeId, why, raw });
  ports.observe({ kind: 'quarantined', tradeId, why });
}

/** Each of them once, however often the report comes. */
async function keepDoubts({ store }: SettlePorts, doubts: BrokenRule[], { id: tradeId }: Trade, raw: Uint8Array): Promise<void> {
  for (const { why } of doubts) await store.quarantineCallback({ tradeId, why: `booked, but ${why}`, raw, booked: true });
}
