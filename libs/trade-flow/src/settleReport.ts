import { isAboutOrder, isFinal, isSameOutcome, type OrderReport, type Trade } from '@stockbroker/trading';
import { type Observe, type Settled, type SettlingStore, StoreRefusedError, type Wakeups } from './ports.ts';

export interface SettlePorts {
  store: SettlingStore;
  wakeups: Pick<Wakeups, 'tradeSettled'>;
  observe: Observe;
}

/** What became of a report. */
export type Settlement = 'settled' | 'duplicate' | 'quarantined';

/**
 * Ends a trade as the exchange reports it, exactly once. When this resolves, the report is dealt with durably: settled, known
 * already, or kept for an operator; the exchange need not send it again.
 *
 * @param raw the report as it came
 * @throws StoreUnavailableError: the report must be sent again
 */
export async function settleReport(ports: SettlePorts, report: OrderReport, raw: Uint8Array): Promise<Settlement> {
  const settled = await settleUnlessRefused(ports, report);
  if (settled === 'refused') {
    await quarantineReport(ports, report.tradeId, 'the database refuses its figures', raw);
    return 'quarantined';
  }
  if (settled !== null) {
    ports.observe({ kind: 'settled', trade: settled.trade });
    if (settled.overdrawn) ports.observe({ kind: 'overdrawn', trade: settled.trade });
    ports.wakeups.tradeSettled(settled.trade);
    return 'settled';
  }
  const trade = await ports.store.readTrade(report.tradeId);
  if (trade !== null && isFinal(trade.status) && isSameOutcome(report, trade)) {
    ports.observe({ kind: 'duplicate', trade });
    return 'duplicate';
  }
  await quarantineReport(ports, report.tradeId, whyNotSettled(report, trade), raw);
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

function whyNotSettled(report: OrderReport, trade: Trade | null): string {
  if (trade === null) return 'no trade has this id';
  if (!isAboutOrder(report, trade)) return 'the ticker, side or quantity is not that of the trade';
  if (trade.status === 'placed') return 'the trade was never sent to the exchange';
  return `the trade is ${trade.status} already, with another outcome`;
}
