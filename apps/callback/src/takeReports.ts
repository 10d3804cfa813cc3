import { fromCallback, MalformedReportError } from '@stockbroker/exchange-client';
import type { OrderReport as OrderReportMessage } from '@stockbroker/rpc/exchange';
import { quarantineReport, type SettlePorts, settleReport } from '@stockbroker/trade-flow';
import { uuidOf } from '@stockbroker/trading';

/** Reports in one callback. */
export const MAX_REPORTS = 1_000;

/**
 * Settles each report of one callback whose signature was right. Resolves when every one is durably dealt with; rejects when one
 * is not, and then the exchange sends them all again: those settled already are duplicates by then.
 *
 * @param problems of each report, what was wrong with it before it was one
 */
export async function takeReports(
  ports: SettlePorts,
  reports: OrderReportMessage[],
  problems: (string | undefined)[] = [],
): Promise<void> {
  const results = await Promise.allSettled(reports.map((report, i) => takeReport(ports, report, problems[i])));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function takeReport(ports: SettlePorts, message: OrderReportMessage, problem: string | undefined): Promise<void> {
  // Not protobuf's own JSON, which throws on an enum value of a later version and on a date out of range.
  const raw = Buffer.from(JSON.stringify(message));
  try {
    if (problem !== undefined) throw new MalformedReportError(problem);
    await settleReport(ports, fromCallback(message), raw);
  } catch (error) {
    if (!(error instanceof MalformedReportError)) throw error;
    await quarantineReport(ports, uuidOf(message.clientOrderId) ?? null, `malformed: ${error.message}`, raw);
  }
}
