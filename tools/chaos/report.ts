import { grouped, table } from '../cli.ts';
import type { Percentiles } from '../percentiles.ts';
import { KIND_NAMES, KINDS } from './kinds.ts';
import type { ChaosResult } from './result.ts';

const MOST_SHOWN = 20;

/** The result for people. */
export function chaosReport(result: ChaosResult): string {
  return [faultTable(result), facts(result), verdict(result)].join('\n\n');
}

function faultTable({ faults }: ChaosResult): string {
  const rows = KIND_NAMES.flatMap((name) => {
    const made = faults.byKind[name];
    return made === undefined
      ? []
      : [[name, grouped(made.done), made.skipped === 0 ? '' : `${made.skipped} skipped`, KINDS[name].what]];
  });
  const total = ['all', grouped(faults.done), faults.skipped === 0 ? '' : `${faults.skipped} skipped`, ''];
  return table([['fault', 'done', '', ''], ...rows, total], [1]);
}

function facts({ seed, minutes, trades, clients, lies, takeovers, outages, healMs, drainMs }: ChaosResult): string {
  const counts = (of: Record<string, number>) =>
    Object.entries(of)
      .map(([name, count]) => `${name} ${grouped(count)}`)
      .join(', ') || 'none';
  return table([
    ['seed', `${seed}, ${minutes} minutes`],
    ['trades', `${grouped(trades.stored)}: ${counts(trades.byStatus)}`],
    ['rejected', counts(trades.rejectedByCode)],
    ['clients', `${clients.customers} customers, ${grouped(clients.calls)} calls, ${grouped(clients.repeated)} repeated`],
    ['errors seen', counts(clients.errorsByCode)],
    ['lies', `${grouped(lies.forged)} forged reports taken, ${grouped(lies.quarantined)} callbacks in quarantine`],
    ['takeover', `${times(takeovers.all)}, from kill -9 of a worker to the next order of each partition that waited`],
    ['  undisturbed', `${times(takeovers.undisturbed)}, those with no other fault meanwhile`],
    ['postgres', `${times(outages.postgres)} without a trade accepted, around each of its faults`],
    ['nats', `${times(outages.nats)} without an order sent, around each of its faults`],
    ['healed', `in ${seconds(healMs)}; the last trade ended ${seconds(drainMs)} later`],
  ]);
}

function times({ count, p50, p99, worst }: Percentiles): string {
  return count === 0 ? 'not measured' : `p50 ${seconds(p50)}, p99 ${seconds(p99)}, worst ${seconds(worst)} of ${count}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

function verdict({ violations }: ChaosResult): string {
  if (violations.length === 0) return 'Nothing lost, nothing twice, nothing stuck: every promise was kept.';
  const shown = violations.slice(0, MOST_SHOWN).map(({ check, message, history }) => {
    return [`- ${check}: ${message}`, ...history.map((line) => `    ${line}`)].join('\n');
  });
  const more = violations.length > MOST_SHOWN ? `\nand ${grouped(violations.length - MOST_SHOWN)} more` : '';
  return `${grouped(violations.length)} VIOLATIONS:\n${shown.join('\n')}${more}`;
}
